package config

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// Section is one table of the file as documentation sees it, or one kind of tables.
type Section struct {
	Name    string // without the name that each table of a kind has
	Doc     string
	Options []Option
}

// Title is how such a table begins: "[hub]", "[[hub.services]]", "[hub.load_groups.NAME]".
func (s Section) Title() string {
	switch s.Name {
	case "spawner.profile", "hub.load_roles", "hub.services":
		return "[[" + s.Name + "]]"
	case "hub.load_groups":
		return "[hub.load_groups.NAME]"
	case "hub.custom_scopes":
		return "[hub.custom_scopes.\"custom:NAME\"]"
	}
	return "[" + s.Name + "]"
}

// below reports whether the section stands below another one, which documents it.
func (s Section) below() bool { return strings.Contains(s.Name, ".") }

// Sections returns the whole table of options, in the order of the manual.
func Sections() []Section { return sections() }

// Setting is one key with the value that holds and the place that says so.
type Setting struct {
	Section string  `json:"section"`
	Key     string  `json:"key"`
	Value   any     `json:"value"`
	File    string  `json:"file,omitempty"` // empty: the default
	Line    int     `json:"line,omitempty"`
	Applies Applies `json:"-"`
}

// Path returns "section.key".
func (s Setting) Path() string { return s.Section + "." + s.Key }

// Settings returns every key of every table with the value that holds, in the order of the manual; of groups, users and
// profiles those that are set.
func (c *Config) Settings() []Setting {
	var list []Setting
	list = settings(list, c, "hub", &c.Hub, hubOptions)
	list = roomSettings(list, c)
	list = settings(list, c, "authenticator", &c.Authenticator, authenticatorOptions)
	list = settings(list, c, "spawner", &c.Spawner, spawnerOptions)
	list = settings(list, c, "spawner", &c.Spawner.Policy, policyOptions)
	for _, name := range slices.Sorted(maps.Keys(c.Spawner.Groups)) {
		list = overlaid(list, c, join("spawner.group", name), c.Spawner.Groups[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Spawner.Users)) {
		list = overlaid(list, c, join("spawner.user", name), c.Spawner.Users[name])
	}
	for i := range c.Spawner.Profiles {
		p := &c.Spawner.Profiles[i]
		section := "spawner.profile." + p.Name
		list = settings(list, c, section, p, profileOptions)
		list = overlaid(list, c, section, p.Overlay)
		for i := range p.Options {
			list = offered(list, c, section+".profile_options."+p.Options[i].Name, &p.Options[i])
		}
	}
	list = settings(list, c, "proxy", &c.Proxy, proxyOptions)
	return settings(list, c, "culler", &c.Culler, cullerOptions)
}

func settings[S any](list []Setting, c *Config, section string, s *S, rows []row[S]) []Setting {
	for _, r := range rows {
		list = append(list, c.settingsOf(section, r.Option, r.get(s))...)
	}
	return list
}

// settingsOf makes one setting of an option, or of each key of a table, since tables of several files are merged.
func (c *Config) settingsOf(section string, o Option, value any) []Setting {
	table, _ := value.(map[string]any)
	if len(table) == 0 {
		at := c.Where(section + "." + o.Key)
		return []Setting{{section, o.Key, value, at.File, at.Line, o.Applies}}
	}
	var list []Setting
	for _, name := range slices.Sorted(maps.Keys(table)) {
		key := join(o.Key, name)
		at := c.Where(section + "." + key)
		list = append(list, Setting{section, key, table[name], at.File, at.Line, o.Applies})
	}
	return list
}

func overlaid(list []Setting, c *Config, section string, o Overlay) []Setting {
	for _, r := range policyOptions {
		if slices.Contains(o.keys, r.Key) {
			list = append(list, c.settingsOf(section, r.Option, r.get(&o.values))...)
		}
	}
	return list
}

// offered lists one option of a profile with its answers.
func offered(list []Setting, c *Config, section string, o *ProfileOption) []Setting {
	list = settings(list, c, section, o, offerOptions)
	for i := range o.Choices {
		below := section + ".choices." + o.Choices[i].Name
		list = settings(list, c, below, &o.Choices[i], choiceOptions)
		list = overlaid(list, c, below, o.Choices[i].Overlay)
	}
	if u := o.Unlisted; u != nil {
		list = settings(list, c, section+".unlisted_choice", u, unlistedOptions)
		list = templated(list, c, section+".unlisted_choice", u.sets)
	}
	if r := o.Range; r != nil {
		list = settings(list, c, section+".range", r, rangeOptions)
		list = templated(list, c, section+".range", r.sets)
	}
	return list
}

func templated(list []Setting, c *Config, section string, t template) []Setting {
	for _, r := range policyOptions {
		if value, is := t[r.Key]; is {
			list = append(list, c.settingsOf(section, r.Option, value)...)
		}
	}
	return list
}

func isPolicy(key string) bool {
	return slices.ContainsFunc(policyOptions, func(r row[Policy]) bool { return r.Key == key })
}

// WriteTOML writes the settings as a file that would load to the same, each line with the place that set it.
func WriteTOML(w io.Writer, list []Setting) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, s := range list {
		if i == 0 || list[i-1].Section != s.Section {
			fmt.Fprintf(t, "%s%s\n", map[bool]string{true: "", false: "\n"}[i == 0], header(s.Section))
		}
		fmt.Fprintf(t, "%s = %s\t# %s\n", s.Key, literal(s.Value), s.Origin())
	}
	return t.Flush()
}

func header(section string) string {
	for _, list := range []string{"spawner.profile", "hub.load_roles", "hub.services"} {
		if rest, is := strings.CutPrefix(section, list+"."); is {
			if _, below, deeper := strings.Cut(rest, ".profile_options."); deeper {
				return "[" + list + ".profile_options." + below + "]"
			}
			return "[[" + list + "]]"
		}
	}
	return "[" + section + "]"
}

// Literal returns the value as the file would have it.
func (s Setting) Literal() string { return literal(s.Value) }

// Origin returns "file:line", or "default".
func (s Setting) Origin() string {
	switch {
	case s.File == "":
		return "default"
	case s.Line == 0:
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// Change is a key whose value differs between two configurations. A nil value: not set there.
type Change struct {
	Path     string
	Old, New any
	Applies  Applies
}

// String returns a sentence: `spawner.mem_limit: "2G" is now "4G", at a server's next start`.
func (c Change) String() string {
	when := map[Applies]string{AtReload: "", AtStart: ", from a server's next start", AtRestart: ", after a restart of the service",
		AtPass: ", from the culler's next pass"}[c.Applies]
	switch {
	case c.Old == nil:
		return fmt.Sprintf("%s: set to %s%s", c.Path, literal(c.New), when)
	case c.New == nil:
		return fmt.Sprintf("%s: no longer set%s", c.Path, when)
	}
	return fmt.Sprintf("%s: %s is now %s%s", c.Path, literal(c.Old), literal(c.New), when)
}

// Changes lists what differs, in the order of the manual, in the tables that the given names begin ("hub", "spawner"); none
// means all.
func Changes(old, new *Config, tables ...string) []Change {
	before := map[string]Setting{}
	for _, s := range old.Settings() {
		before[s.Path()] = s
	}
	var changes []Change
	for _, s := range new.Settings() {
		was, there := before[s.Path()]
		delete(before, s.Path())
		if !there {
			changes = append(changes, Change{s.Path(), nil, s.Value, s.Applies})
		} else if !reflect.DeepEqual(was.Value, s.Value) {
			changes = append(changes, Change{s.Path(), was.Value, s.Value, s.Applies})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(before)) {
		changes = append(changes, Change{path, before[path].Value, nil, before[path].Applies})
	}
	return slices.DeleteFunc(changes, func(c Change) bool {
		table, _, _ := strings.Cut(c.Path, ".")
		return len(tables) > 0 && !slices.Contains(tables, table)
	})
}

// Held is next with what only a restart changes as it is in a running configuration: a daemon that reloads goes by this, or its
// parts would go by two configurations.
func Held(running, next *Config) *Config {
	held := *next
	hold(&held.Hub, &running.Hub, hubOptions)
	hold(&held.Authenticator, &running.Authenticator, authenticatorOptions)
	hold(&held.Proxy, &running.Proxy, proxyOptions)
	return &held
}

func hold[S any](dst, src *S, rows []row[S]) {
	for _, r := range rows {
		if r.Applies == AtRestart {
			r.copy(dst, src)
		}
	}
}
