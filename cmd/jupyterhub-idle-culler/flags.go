package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub/config"
	"jupyterhubd/idleculler"
)

// overrides is what the command line says, to be put over the configuration.
type overrides struct {
	url  string
	sets []func(*idleculler.Options)
}

// declare declares the Python program's flags. Each is spelled with dashes here; dashed has taken care of underscores.
func (o *overrides) declare(fs *flag.FlagSet) {
	fs.StringVar(&o.url, "url", "", "`address` of the hub's API (default $JUPYTERHUB_API_URL, or as the configuration says)")
	o.span(fs, "timeout", "stop servers that are inactive for this `long`: seconds, or 90s, 1h", func(c *idleculler.Options) *time.Duration { return &c.Timeout })
	o.span(fs, "max-age", "also stop servers older than this, 0 for never: `seconds`, or 90s, 1h", func(c *idleculler.Options) *time.Duration { return &c.MaxAge })
	o.flag(fs, "cull-users", "also remove idle users from the hub", func(c *idleculler.Options) *bool { return &c.CullUsers })
	o.flag(fs, "cull-admin-users", "admins too", func(c *idleculler.Options) *bool { return &c.CullAdminUsers })
	o.flag(fs, "cull-default-servers", "stop idle default servers", func(c *idleculler.Options) *bool { return &c.CullDefaultServers })
	o.flag(fs, "cull-named-servers", "stop idle named servers", func(c *idleculler.Options) *bool { return &c.CullNamedServers })
	o.flag(fs, "remove-named-servers", "forget named servers once they have stopped", func(c *idleculler.Options) *bool { return &c.RemoveNamedServers })
	o.count(fs, "concurrency", "most requests at a time, 0 for no limit: `number`", func(c *idleculler.Options) *int { return &c.Concurrency })
	o.count(fs, "api-page-size", "users a page, 0 for the hub's own: `number`", func(c *idleculler.Options) *int { return &c.PageSize })
	fs.Func("cull-every", "refused: the interval is the timer's", func(s string) error {
		if s == "0" {
			return nil
		}
		return fmt.Errorf("the interval belongs to the timer: systemctl edit jupyterhub-idle-culler.timer")
	})
	refuse(fs, "ssl-enabled", "internal-certs-location", "cull-arbiter-hook", "generate-config")
}

func refuse(fs *flag.FlagSet, names ...string) {
	for _, name := range names {
		fs.BoolFunc(name, "refused: the Python program's alone", func(s string) error {
			if strings.EqualFold(s, "false") {
				return nil
			}
			return fmt.Errorf("this culler has no such thing; the Python jupyterhub-idle-culler works with this hub as well")
		})
	}
}

func (o *overrides) span(fs *flag.FlagSet, name, usage string, at func(*idleculler.Options) *time.Duration) {
	fs.Func(name, usage, func(s string) error {
		if _, err := strconv.ParseUint(s, 10, 63); err == nil {
			s += "s"
		}
		d, err := config.ParseDuration(s)
		o.sets = append(o.sets, func(c *idleculler.Options) { *at(c) = d.Std() })
		return err
	})
}

func (o *overrides) flag(fs *flag.FlagSet, name, usage string, at func(*idleculler.Options) *bool) {
	fs.BoolFunc(name, usage, func(s string) error {
		b, err := strconv.ParseBool(s)
		o.sets = append(o.sets, func(c *idleculler.Options) { *at(c) = b })
		if err != nil {
			return fmt.Errorf("say true or false")
		}
		return nil
	})
}

func (o *overrides) count(fs *flag.FlagSet, name, usage string, at func(*idleculler.Options) *int) {
	fs.Func(name, usage, func(s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		o.sets = append(o.sets, func(c *idleculler.Options) { *at(c) = int(n) })
		if err != nil {
			return fmt.Errorf("say a whole number")
		}
		return nil
	})
}

func (o *overrides) apply(c *idleculler.Options) {
	for _, set := range o.sets {
		set(c)
	}
}

// booleans are the flags that take true or false, which Python lets stand in the next argument.
var booleans = []string{"cull-users", "cull-admin-users", "cull-default-servers", "cull-named-servers", "remove-named-servers", "ssl-enabled"}

// dashed spells a command line of the Python program as package flag wants it: --cull_users True becomes --cull-users=True.
func dashed(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(args[i], "-") || name == "" {
			out = append(out, args[i])
			continue
		}
		name = strings.ReplaceAll(name, "_", "-")
		if !hasValue && slices.Contains(booleans, name) && i+1 < len(args) && isBool(args[i+1]) {
			value, hasValue = args[i+1], true
			i++
		}
		arg := "--" + name
		if hasValue {
			arg += "=" + value
		}
		out = append(out, arg)
	}
	return out
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }
