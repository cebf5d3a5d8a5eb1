package config

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// together finds what is wrong between keys, each of which is right by itself.
func (l *loader) together() {
	c := l.config
	if (c.Proxy.TLSCertificate == "") != (c.Proxy.TLSKey == "") {
		l.pair("proxy.tls_certificate", "proxy.tls_key", "is set without %s; a certificate and its key go together")
	}
	if c.Hub.APIPageDefaultLimit > c.Hub.APIPageMaxLimit {
		l.at("hub.api_page_default_limit", fmt.Sprintf("is %d, more than api_page_max_limit, which is %d; lower the one or raise the other",
			c.Hub.APIPageDefaultLimit, c.Hub.APIPageMaxLimit))
	}
	if u, err := url.Parse(c.Hub.PublicURL); err == nil && c.Hub.PublicURL != "" && strings.TrimSuffix(u.Path, "/")+"/" != c.Hub.BaseURL {
		l.at("hub.public_url", fmt.Sprintf("is %q, whose path is not base_url; it ends with %q", c.Hub.PublicURL, c.Hub.BaseURL))
	}
	l.sites()
	for _, name := range c.Authenticator.BlockedUsers {
		for _, other := range c.Authenticator.AllowedUsers {
			if name == other {
				l.at("authenticator.blocked_users", fmt.Sprintf("holds %q, and so does allowed_users; remove it from one of them", name))
			}
		}
	}
	l.misplaced()
	l.rootTwice()
	l.userID()
}

// userID finds systemdspawner's {USERID} in the options that are filled in: here it would stay as it stands.
func (l *loader) userID() {
	for _, t := range append([]layer{{"spawner", Overlay{values: l.config.Spawner.Policy}}}, l.config.Spawner.overlays()...) {
		for _, r := range policyOptions {
			if personal := slices.Contains(personal, r.Key); !personal && strings.Contains(strings.ToUpper(fmt.Sprint(r.get(&t.values))), "{USERID}") {
				l.at(join(t.path, r.Key), "holds {USERID}, a number of JupyterHub's database, which is not here; write {USERNAME}, {account} or {home}")
			}
		}
	}
}

// rootTwice finds tables with two trees in the place of the machine's.
func (l *loader) rootTwice() {
	for _, t := range append([]layer{{"spawner", Overlay{values: l.config.Spawner.Policy}}}, l.config.Spawner.overlays()...) {
		if t.values.RootDirectory != "" && t.values.RootImage != "" {
			l.at(join(t.path, "root_image"), "is set, and so is root_directory; servers see one of them: remove the other")
		}
	}
}

// sites finds what does not go together with hosts of their own for users and services.
func (l *loader) sites() {
	h := l.config.Hub
	if h.PublicURL != "" && h.SubdomainHost != "" && origin(h.PublicURL) != origin(h.SubdomainHost) {
		l.at("hub.public_url", fmt.Sprintf("is %q, which is at another host than subdomain_host; remove it: the hub is at %q", h.PublicURL, h.SubdomainHost))
	}
	if at := cmp.Or(h.SubdomainHost, h.PublicURL); h.CookieHostPrefix && strings.HasPrefix(at, "http:") {
		l.at("hub.cookie_host_prefix_enabled", fmt.Sprintf("is true, and the hub is at %q: browsers take cookies with __Host- over https alone; write https there, or false here", at))
	}
}

// origin is an address without its path.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// groupsOwn are the options of a group's slice.
var groupsOwn = []string{"group_slice", "group_mem_limit", "group_cpu_limit", "group_cpu_weight", "group_io_weight", "group_tasks_max"}

// misplaced finds options where they say nothing: those of a group's slice where no group is, or no slice of it, and those that
// say as whom servers run where that is settled already.
func (l *loader) misplaced() {
	const nowhere, pointless = "has a meaning in [spawner.group.NAME] alone; move it there", "does nothing without a slice of the group; add group_slice = true"
	const late = "has a meaning in [spawner] and [spawner.user.NAME] alone; move it there"
	s := &l.config.Spawner
	l.without("spawner", s.Policy, groupsOwn, nowhere)
	for name, o := range s.Users {
		l.without(join("spawner.user", name), o.values, groupsOwn, nowhere)
	}
	for _, p := range s.Profiles {
		l.without("spawner.profile."+p.Name, p.Overlay.values, groupsOwn, nowhere)
		l.without("spawner.profile."+p.Name, p.Overlay.values, personal, late)
	}
	for name, o := range s.Groups {
		l.without(join("spawner.group", name), o.values, personal, late)
		if !o.values.GroupSlice {
			l.without(join("spawner.group", name), o.values, groupsOwn, pointless)
		}
	}
	if t := s.UsernameTemplate; t != "" && !strings.Contains(strings.ToUpper(t), "{USERNAME}") {
		l.at("spawner.username_template", fmt.Sprintf("is %q, one account for everybody; add {USERNAME}, or write it in [spawner.user.NAME]", t))
	}
}

// without reports every one of some options that a table sets.
func (l *loader) without(table string, p Policy, options []string, text string) {
	for _, r := range policyOptions {
		if slices.Contains(options, r.Key) && r.get(&p) != r.Default {
			l.at(join(table, r.Key), text)
		}
	}
}

// pair reports the one of two keys that is set.
func (l *loader) pair(a, b, format string) {
	if l.config.where[a] == (Place{}) {
		a, b = b, a
	}
	_, name, _ := strings.Cut(b, ".")
	l.at(a, fmt.Sprintf(format, name))
}

func (l *loader) at(key, text string) {
	place := l.config.where[key]
	if place.File == "" {
		place.File = l.config.dir
	}
	l.mistakes = append(l.mistakes, Mistake{File: place.File, Line: place.Line, Key: key, Text: text})
}
