package config

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func atLeast(least int64) check[int64] {
	return func(n int64) error {
		if n < least {
			return fmt.Errorf("is %d; it wants %d or more", n, least)
		}
		return nil
	}
}

func within(least, most int64) check[int64] {
	return func(n int64) error {
		if n < least || n > most {
			return fmt.Errorf("is %d; it wants a number from %d to %d", n, least, most)
		}
		return nil
	}
}

func realWithin(least, most float64) check[float64] {
	return func(n float64) error {
		if n < least || n > most {
			return fmt.Errorf("is %v; it wants a number from %v to %v", n, least, most)
		}
		return nil
	}
}

// zeroOr lets 0 pass as "none" and asks for the least otherwise.
func zeroOr[T ~int64](least T, show func(T) string) check[T] {
	return func(v T) error {
		if v != 0 && v < least {
			return fmt.Errorf("is %s; it wants %s or more, or 0 for none", show(v), show(least))
		}
		return nil
	}
}

func spanAtLeast(least Duration) check[Duration] {
	return func(d Duration) error {
		if d < least {
			return fmt.Errorf("is %s; it wants %s or more", d, least)
		}
		return nil
	}
}

func oneOf(words ...string) check[string] {
	return func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return fmt.Errorf("is %q; it wants %s", s, quotedList(words))
	}
}

func quotedList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(quoted, " or ")
}

func notEmpty(list []string) error {
	if len(list) == 0 || list[0] == "" {
		return fmt.Errorf(`is empty; it wants a command, such as ["jupyterhub-singleuser"]`)
	}
	return nil
}

func every(one check[string]) check[[]string] {
	return func(list []string) error {
		for _, s := range list {
			if err := one(s); err != nil {
				return fmt.Errorf("entry %q %w", s, err)
			}
		}
		return nil
	}
}

func emptyOr(one check[string]) check[string] {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return one(s)
	}
}

func absolute(s string) error {
	if !filepath.IsAbs(s) || filepath.Clean(s) != s {
		return fmt.Errorf(`is no absolute path; it wants one such as "/etc/ssl/private/hub.pem"`)
	}
	return nil
}

// filePairs checks a table of files.
func filePairs(table map[string]string) error {
	for chain, key := range table {
		for _, path := range []string{chain, key} {
			if absolute(path) != nil {
				return fmt.Errorf(`holds %q; it wants absolute paths, as in { "/etc/ssl/hub.pem" = "/etc/ssl/hub.key" }`, path)
			}
		}
	}
	return nil
}

// domain is a name for which a certificate can be got by answering at it.
func domain(s string) error {
	if !strings.Contains(s, ".") || strings.ContainsAny(s, "*:/@ ") || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return fmt.Errorf(`is no name of a host; it wants one such as "hub.example.org", without a wildcard`)
	}
	return nil
}

func basePath(s string) error {
	if !strings.HasPrefix(s, "/") || !strings.HasSuffix(s, "/") || strings.Contains(s, "//") || strings.ContainsAny(s, "?#%\\ ") {
		return fmt.Errorf(`is %q; it wants a path that begins and ends with a slash, such as "/" or "/jupyter/"`, s)
	}
	return nil
}

func urlPath(s string) error {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return fmt.Errorf(`is %q; it wants a path that begins with one slash, such as "/lab"`, s)
	}
	return nil
}

func webURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf(`is %q; it wants an address such as "https://hub.example.org/"`, s)
	}
	return nil
}

// siteURL is the address of a host below which others can be: no path, and a name of more than one word, since browsers keep no cookie
// for all of "localhost" or of a number.
func siteURL(s string) error {
	const wanted = `is %q; it wants the hub's own address without a path, such as "https://hub.example.org"`
	u, err := url.Parse(s)
	if err != nil || webURL(s) != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return fmt.Errorf(wanted, s)
	}
	if domain(u.Hostname()) != nil {
		return fmt.Errorf(wanted+": a name with a dot, below which others can be", s)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return fmt.Errorf(wanted+": below a number there are no names", s)
	}
	return nil
}

func network(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return nil
	}
	return fmt.Errorf(`is no address; it wants one such as "10.0.0.5", or a network such as "10.0.0.0/8"`)
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]*\$?$`)

// accountName is broad: LDAP and Active Directory allow more than useradd does.
func accountName(s string) error {
	if s == "" || len(s) > 255 || strings.ContainsAny(s, "/:\n\x00") || strings.TrimSpace(s) != s {
		return fmt.Errorf("is no account or group name; it wants one as `getent` prints it")
	}
	return nil
}

// oneToOne takes names of accounts with other names for them, none of them twice.
func oneToOne(table map[string]string) error {
	of := map[string]string{}
	for _, account := range slices.Sorted(maps.Keys(table)) {
		name := table[account]
		for _, s := range []string{account, name} {
			if err := accountName(s); err != nil {
				return fmt.Errorf("holds %q, which %w", s, err)
			}
		}
		if other, taken := of[name]; taken {
			return fmt.Errorf("calls both %q and %q %q; every account is a user of its own: give one of them another name", other, account, name)
		}
		of[name] = account
	}
	return nil
}

var guestPatterns = regexp.MustCompile(`^[a-z0-9._@-]*\*?[a-z0-9._@-]*$`)

// guestPattern takes a name in lower case with at most one star. A star alone would make a guest of every name that is no account's.
func guestPattern(s string) error {
	if !guestPatterns.MatchString(s) || strings.Trim(s, "*._@-") == "" || strings.Contains("._@-", s[:1]) {
		return fmt.Errorf(`is no name of guests; it wants small letters, digits and . _ @ -, and at most one *, such as "guest-*" or "*@guests.example.org"`)
	}
	return nil
}

// accountTemplate takes a text with the user's name in it.
func accountTemplate(s string) error {
	if strings.ContainsAny(strings.NewReplacer("{username}", "", "{USERNAME}", "").Replace(s), "{}") {
		return fmt.Errorf("is %q; it knows {USERNAME} alone", s)
	}
	return accountName(s)
}

func pamService(s string) error {
	if !namePattern.MatchString(s) {
		return fmt.Errorf(`is %q; it wants the name of a file in /etc/pam.d, such as "jupyterhub"`, s)
	}
	return nil
}

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func variableName(s string) error {
	if !variablePattern.MatchString(s) {
		return fmt.Errorf("is %q; a variable's name has letters, digits and underscores", s)
	}
	return nil
}

func variables(table map[string]string) error {
	for name, value := range table {
		switch {
		case !variablePattern.MatchString(name):
			return fmt.Errorf("holds %q; a variable's name has letters, digits and underscores", name)
		case strings.HasPrefix(name, "JUPYTERHUB_") || strings.HasPrefix(name, "JPY_"):
			return fmt.Errorf("sets %s; the hub sets JUPYTERHUB_* itself: remove it", name)
		case strings.ContainsAny(value, "\x00\n"):
			return fmt.Errorf("holds a line break in %s; a value is one line", name)
		}
	}
	return nil
}

var propertyPattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// propertyNames knows how systemd spells its settings. Which of them are known, and of what type, is spawnd's to say.
func propertyNames(table map[string]any) error {
	for name := range table {
		if !propertyPattern.MatchString(name) {
			return fmt.Errorf("holds %q; a property is spelled as in systemd.exec(5), such as PrivateTmp", name)
		}
	}
	return nil
}
