package config

import (
	"maps"
	"slices"
)

// layer is what one table says, by the path of the table.
type layer struct {
	path string
	Overlay
}

// layers returns all that a server's policy is made of, the later winning: the groups by name, the user, the profile, the
// answers to its options. [spawner] comes before them all.
func (s *Spawner) layers(user string, groups []string, profile *Profile, picks []Pick) []layer {
	var all []layer
	for _, g := range slices.Sorted(maps.Keys(s.Groups)) {
		if slices.Contains(groups, g) {
			all = append(all, layer{join("spawner.group", g), s.Groups[g]})
		}
	}
	if o, is := s.Users[user]; is {
		all = append(all, layer{join("spawner.user", user), o})
	}
	if profile != nil {
		all = append(all, layer{"spawner.profile." + profile.Name, profile.Overlay})
	}
	for _, p := range picks {
		all = append(all, layer{p.Path, p.Overlay})
	}
	return all
}

// overlays returns every table that says for some servers what [spawner] says for all, by its path.
func (s *Spawner) overlays() []layer {
	var all []layer
	for _, name := range slices.Sorted(maps.Keys(s.Groups)) {
		all = append(all, layer{join("spawner.group", name), s.Groups[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Users)) {
		all = append(all, layer{join("spawner.user", name), s.Users[name]})
	}
	for _, p := range s.Profiles {
		all = append(all, layer{"spawner.profile." + p.Name, p.Overlay})
	}
	return all
}

// Explain returns every option of a server's policy with the place that decides about it, in the order of the manual.
func (c *Config) Explain(user string, groups []string, profile *Profile, picks []Pick) []Setting {
	p := c.Spawner.PolicyFor(user, groups, profile, picks...)
	layers := c.Spawner.layers(user, groups, profile, picks)
	var list []Setting
	for _, r := range policyOptions {
		for _, s := range c.settingsOf("spawner", r.Option, r.get(&p)) {
			s.Section, s.File, s.Line = c.decides(layers, r.Key, s.Key, p.SliceGroup)
			list = append(list, s)
		}
	}
	return list
}

// decides returns the table and the place that say what holds of a key: the option's, or one in the option's table.
func (c *Config) decides(layers []layer, option, key, group string) (table, file string, line int) {
	for _, l := range slices.Backward(layers) {
		foreign := slices.Contains(groupsOwn, option) && l.path != join("spawner.group", group)
		if !slices.Contains(l.keys, option) || foreign {
			continue
		}
		if at, is := c.where[l.path+"."+key]; is {
			return l.path, at.File, at.Line
		}
		if at, is := c.where[l.path+"."+option]; is && key == option {
			return l.path, at.File, at.Line
		}
	}
	at := c.where["spawner."+key]
	return "spawner", at.File, at.Line
}
