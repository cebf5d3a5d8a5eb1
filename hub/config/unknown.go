package config

import (
	"fmt"
	"slices"
	"strings"
)

// sections is every table of the file that has a fixed name, with its options, in the order of the manual.
func sections() []Section {
	return []Section{
		{"hub", "The hub: who stays logged in for how long, how many servers, which pages.", documented(hubOptions)},
		{"hub.load_roles", "Roles and who has them, each begun by [[hub.load_roles]]. Who is not named any more loses the role.", documented(roleOptions)},
		{"hub.custom_scopes", "Scopes that mean something to services alone, each a table [hub.custom_scopes.\"custom:NAME\"]. " +
			"The hub hands them out and reports them.", documented(scopeOptions)},
		{"hub.load_groups", "Groups of the hub that are there from the start, each a table [hub.load_groups.NAME].", documented(groupOptions)},
		{"hub.services", "Programs that speak to the hub in their own name, each begun by [[hub.services]].", documented(serviceOptions)},
		{"authenticator", "Who may log in, and who administers. Both root helpers enforce this themselves.", documented(authenticatorOptions)},
		{"spawner", "How users' servers run. What stands here holds for everyone.",
			append(documented(spawnerOptions), documented(policyOptions)...)},
		{"spawner.profile", "Ways to start a server that users may choose, each begun by [[spawner.profile]]. " +
			"Besides these keys a profile has those of [spawner] that also a group can have.", documented(profileOptions)},
		{"proxy", "The proxy in front of everything.", documented(proxyOptions)},
		{"culler", "What jupyterhub-idle-culler does at each pass.", documented(cullerOptions)},
	}
}

// unknownKey says what would be right instead of a key that the table at path does not have.
func unknownKey(path, key string) error {
	here, there := []string{}, map[string]string{}
	for _, s := range topFirst() {
		for _, o := range s.Options {
			if s.Name == table(path) || s.Name == "spawner" && strings.HasPrefix(path, "spawner.") {
				here = append(here, o.Key)
			}
			if there[o.Key] == "" {
				there[o.Key] = s.Name
			}
		}
	}
	switch path {
	case "spawner":
		here = append(here, "group", "user", "profile")
	case "hub":
		here = append(here, "load_roles", "custom_scopes", "load_groups", "services")
	}
	why := refused[key]
	if own, known := refused[table(path)+"."+key]; known {
		why = own
	}
	switch {
	case why != "":
		return fmt.Errorf("%s", why)
	case there[key] == "spawner" && strings.HasPrefix(path, "spawner."):
		return fmt.Errorf("cannot be set for a group, a user or a profile; it belongs in [%s]", there[key])
	case there[key] != "":
		return fmt.Errorf("belongs in [%s]; move it there", there[key])
	case nearest(key, here) != "":
		return fmt.Errorf("is no key of [%s]; did you mean %s?", path, nearest(key, here))
	}
	return fmt.Errorf("is no key of [%s]; jupyterhub.toml(5) lists them", path)
}

// topFirst is all sections, those below another one last: a key of several is most likely meant for the first.
func topFirst() []Section {
	all := sections()
	slices.SortStableFunc(all, func(a, b Section) int { return strings.Count(a.Name, ".") - strings.Count(b.Name, ".") })
	return all
}

// table is the name of a table as the manual has it: without position and name of one of several.
func table(path string) string {
	for _, list := range []string{"hub.load_roles", "hub.services", "hub.custom_scopes", "hub.load_groups", "spawner.profile"} {
		if strings.HasPrefix(path, list+"[") || strings.HasPrefix(path, list+".") {
			return list
		}
	}
	return path
}

func unknownSection(name string) error {
	var known []string
	for _, s := range topFirst() {
		if !strings.Contains(s.Name, ".") {
			known = append(known, s.Name)
		}
		for _, o := range s.Options {
			if o.Key == name {
				return fmt.Errorf("stands outside every table; it belongs in [%s]", s.Name)
			}
		}
	}
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("is no table of this file; did you mean [%s]?", near)
	}
	return fmt.Errorf("is no table of this file; it has [%s]", strings.Join(known, "], ["))
}

// nearest returns the word that takes the fewest edits to reach, if few enough, or "".
func nearest(word string, words []string) string {
	best, least := "", len(word)/3+2
	for _, w := range words {
		if d := distance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
