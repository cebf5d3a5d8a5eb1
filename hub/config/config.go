package config

import (
	"maps"
	"slices"
	"strings"
)

// Config is the whole configuration, defaults filled in.
type Config struct {
	Hub           Hub
	Authenticator Authenticator
	Spawner       Spawner
	Proxy         Proxy
	Culler        Culler

	dir   string
	where map[string]Place // of every key that a file sets
}

// Place is where a key is set. The zero Place means by default.
type Place struct {
	File string
	Line int // 1 is the first; 0 unknown
}

// Where returns the place that sets a key such as "spawner.mem_limit" or "spawner.group.students.mem_limit".
func (c *Config) Where(key string) Place { return c.where[key] }

// Dir returns the directory that the configuration was read from.
func (c *Config) Dir() string { return c.dir }

// Default returns the configuration of an empty file.
func Default() *Config {
	c := &Config{where: map[string]Place{}}
	reset(&c.Hub, hubOptions)
	reset(&c.Authenticator, authenticatorOptions)
	reset(&c.Spawner, spawnerOptions)
	reset(&c.Spawner.Policy, policyOptions)
	reset(&c.Proxy, proxyOptions)
	reset(&c.Culler, cullerOptions)
	c.Hub.LoadGroups, c.Hub.CustomScopes = map[string]Group{}, map[string]Scope{}
	c.Spawner.Groups, c.Spawner.Users = map[string]Overlay{}, map[string]Overlay{}
	return c
}

// Overlay is what a group, a user or a profile sets differently from [spawner].
type Overlay struct {
	values Policy
	keys   []string // those that are set, sorted
}

// Keys returns the keys that the overlay sets.
func (o Overlay) Keys() []string { return slices.Clone(o.keys) }

// Apply puts the overlay's values into p. Tables are merged key by key, everything else is replaced.
func (o Overlay) Apply(p *Policy) {
	for _, r := range policyOptions {
		if slices.Contains(o.keys, r.Key) {
			r.copy(p, &o.values)
		}
	}
	switch { // one tree takes the place of the other
	case o.values.RootDirectory != "":
		p.RootImage = ""
	case o.values.RootImage != "":
		p.RootDirectory = ""
	}
}

// Profile is one [[spawner.profile]]: a way to start a server that the user may choose.
type Profile struct {
	Name          string
	DisplayName   string
	Description   string
	AllowedGroups []string // NSS groups; empty means everyone
	AllowedUsers  []string
	SleepAfter    Duration // 0: as in [spawner]
	StartAtBoot   bool
	Default       bool // what starts when nothing is chosen
	Options       []ProfileOption
	Overlay       Overlay
}

// PolicyFor returns what holds for one server: [spawner], then the groups in the order of their names, then the user, then
// the profile, then the answers to the profile's options; the later wins. Profile is nil for none.
func (s *Spawner) PolicyFor(user string, groups []string, profile *Profile, picks ...Pick) Policy {
	p := s.Policy.clone()
	for _, l := range s.layers(user, groups, profile, picks) {
		l.Apply(&p)
	}
	for _, g := range slices.Sorted(maps.Keys(s.Groups)) {
		if slices.Contains(groups, g) && s.Groups[g].values.GroupSlice {
			p.SliceGroup = g
			p.takeSlice(s.Groups[g].values)
		}
	}
	p.isolate()
	maps.DeleteFunc(p.Sandbox, leftOut)
	maps.DeleteFunc(p.UnitExtraProperties, leftOut)
	return p
}

// takeSlice takes over what one group says of its slice, and nothing that another one said: one alone decides.
func (p *Policy) takeSlice(of Policy) {
	for _, r := range policyOptions {
		if slices.Contains(groupsOwn, r.Key) {
			r.copy(p, &of)
		}
	}
}

// isolate puts JupyterHub's names for three properties of the sandbox where the properties are.
func (p *Policy) isolate() {
	for property, is := range map[string]*bool{"PrivateTmp": p.IsolateTmp, "PrivateDevices": p.IsolateDevices, "NoNewPrivileges": p.DisableUserSudo} {
		if is != nil {
			p.Sandbox[property] = *is
		}
	}
	if p.Sandbox["PrivateDevices"] == false { // whoever shows devices means them to be used
		delete(p.Sandbox, "DevicePolicy")
	}
}

// leftOut reports whether a property's value is empty: it takes an inherited property away.
func leftOut(_ string, value any) bool {
	list, isList := value.([]any)
	return value == "" || isList && len(list) == 0
}

func (p Policy) clone() Policy {
	var c Policy
	for _, r := range policyOptions {
		r.copy(&c, &p)
	}
	return c
}

// ProfileNamed returns a profile, or nil.
func (s *Spawner) ProfileNamed(name string) *Profile {
	for i := range s.Profiles {
		if s.Profiles[i].Name == name {
			return &s.Profiles[i]
		}
	}
	return nil
}

// join names a key below a table as a path: "spawner" and "mem_limit" make "spawner.mem_limit".
func join(path, key string) string {
	if !bare(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func bare(key string) bool {
	return key != "" && strings.IndexFunc(key, func(r rune) bool { return r > 127 || !isBare(byte(r)) }) < 0
}

func isBare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
