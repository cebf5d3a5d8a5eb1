package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// Load reads DIR/jupyterhub.toml and then DIR/jupyterhub.toml.d/*.toml in the order of their names; of a key that is set
// twice the later wins, and tables are merged. An error is of kind hub.Invalid and holds Mistakes: all of them.
func Load(dir string) (*Config, error) {
	l := &loader{config: Default()}
	l.config.dir = dir
	list, err := files(dir)
	var early Mistakes
	if errors.As(err, &early) {
		return nil, wrong(early)
	}
	for _, file := range list {
		l.load(file)
	}
	l.together()
	if len(l.mistakes) > 0 {
		l.mistakes.sort(list)
		return nil, wrong(l.mistakes)
	}
	return l.config, nil
}

func wrong(ms Mistakes) error { return hub.Errorf(hub.Invalid, "%w", ms) }

// loader gathers what files say, and what is wrong with it.
type loader struct {
	config   *Config
	mistakes Mistakes
	source   source
}

func (l *loader) load(file string) {
	source, mistake := read(file)
	if mistake != nil {
		l.mistakes = append(l.mistakes, *mistake)
		return
	}
	l.source = source
	for _, name := range slices.Sorted(maps.Keys(source.tree)) {
		l.section(name, source.tree[name])
	}
}

func (l *loader) section(name string, value any) {
	c := l.config
	switch name {
	case "hub":
		fill(l, name, value, &c.Hub, hubOptions, l.rooms)
	case "authenticator":
		fill(l, name, value, &c.Authenticator, authenticatorOptions, nil)
	case "spawner":
		l.spawner(value)
	case "proxy":
		fill(l, name, value, &c.Proxy, proxyOptions, nil)
	case "culler":
		fill(l, name, value, &c.Culler, cullerOptions, nil)
	default:
		l.mistake(join("", name), unknownSection(name))
	}
}

func (l *loader) spawner(value any) {
	s := &l.config.Spawner
	policy := func(key string, v any) bool {
		return one(l, join("spawner", key), v, key, &s.Policy, policyOptions)
	}
	fill(l, "spawner", value, s, spawnerOptions, func(key string, v any) bool {
		switch key {
		case "group":
			l.overlays("spawner.group", v, s.Groups)
		case "user":
			l.overlays("spawner.user", v, s.Users)
		case "profile":
			l.profiles(v)
		default:
			return policy(key, v)
		}
		return true
	})
}

// fill reads a table into s. Other gets the keys that rows do not have, and says whether it knew them.
func fill[S any](l *loader, path string, value any, s *S, rows []row[S], other func(string, any) bool) {
	table, ok := value.(map[string]any)
	if !ok {
		l.mistake(path, wrongType(value, "a table: ["+path+"]"))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		at := join(path, key)
		if one(l, at, table[key], key, s, rows) || other != nil && other(key, table[key]) {
			continue
		}
		l.mistake(at, unknownKey(path, key))
	}
}

// one reads one key, if rows have it.
func one[S any](l *loader, at string, value any, key string, s *S, rows []row[S]) bool {
	for _, r := range rows {
		if r.Key != key {
			continue
		}
		if r.full != nil {
			value = r.full(value)
		}
		if err := r.set(s, value); err != nil {
			l.mistake(at, err)
		} else {
			l.remember(at, value)
		}
		return true
	}
	return false
}

// remember notes where a key is set, and the keys of a table one by one, since tables of several files are merged.
func (l *loader) remember(at string, value any) {
	l.config.where[at] = Place{File: l.source.file, Line: l.line(at)}
	table, _ := value.(map[string]any)
	for key := range table {
		l.config.where[join(at, key)] = Place{File: l.source.file, Line: l.line(join(at, key))}
	}
}

func (l *loader) overlays(path string, value any, into map[string]Overlay) {
	table, ok := value.(map[string]any)
	if !ok {
		l.mistake(path, wrongType(value, "tables such as ["+path+".NAME]"))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		o := into[name]
		l.overlay(join(path, name), table[name], &o, nil)
		into[name] = o
		if err := accountName(name); err != nil {
			l.mistake(join(path, name), err)
		}
	}
}

// overlay reads a table of policy options. Other is as in fill.
func (l *loader) overlay(path string, value any, o *Overlay, other func(string, any) bool) {
	var none struct{}
	fill(l, path, value, &none, nil, func(key string, v any) bool {
		switch {
		case other != nil && other(key, v):
		case one(l, join(path, key), v, key, &o.values, policyOptions):
			if !slices.Contains(o.keys, key) {
				o.keys = append(o.keys, key)
				slices.Sort(o.keys)
			}
		default:
			return false
		}
		return true
	})
}

func (l *loader) profiles(value any) {
	tables, ok := tablesOf(value)
	if !ok {
		l.mistake("spawner.profile", wrongType(value, "tables, each begun by [[spawner.profile]]"))
		return
	}
	for i, table := range tables {
		path := fmt.Sprintf("spawner.profile[%d]", i)
		var p Profile
		l.overlay(path, table, &p.Overlay, func(key string, v any) bool {
			if key == "profile_options" {
				p.Options = l.offers(join(path, key), v)
				return true
			}
			return one(l, join(path, key), v, key, &p, profileOptions)
		})
		l.profile(path, p, table)
	}
}

func (l *loader) profile(path string, p Profile, table map[string]any) {
	switch {
	case table["name"] == nil:
		l.mistake(path, errors.New(`has no name; add one such as name = "gpu"`))
	case l.config.Spawner.ProfileNamed(p.Name) != nil && p.Name != "":
		l.mistake(join(path, "name"), fmt.Errorf("is %q, as another profile's is; give it a name of its own", p.Name))
	}
	if p.DisplayName == "" {
		p.DisplayName = p.Name
	}
	l.config.Spawner.Profiles = append(l.config.Spawner.Profiles, p)
	l.rename(path, "spawner.profile."+p.Name)
}

func tablesOf(value any) ([]map[string]any, bool) {
	if tables, ok := value.([]map[string]any); ok {
		return tables, true
	}
	list, ok := value.([]any)
	tables := make([]map[string]any, len(list))
	for i := range list {
		var is bool
		tables[i], is = list[i].(map[string]any)
		ok = ok && is
	}
	return tables, ok
}

func (l *loader) mistake(at string, err error) {
	l.mistakes = append(l.mistakes, Mistake{File: l.source.file, Line: l.line(at), Key: at, Text: err.Error()})
}

// line returns where a key stands, or else its table.
func (l *loader) line(at string) int {
	for at != "" {
		if n := l.source.lines[at]; n > 0 {
			return n
		}
		at = at[:max(0, strings.LastIndexByte(at, '.'))]
	}
	return 0
}
