package hub

import (
	"fmt"
	"strings"
)

// maxTemplate is how many bytes of a template may stand in every name: the rest of MaxUnitName is for users and servers.
const maxTemplate = 40

// ParseUnitTemplate reads a template as systemdspawner has it. {USERNAME} and {SERVERNAME} may be written small, and ".service" may
// be missing. Servers that have names get them at the end where the template does not say another place. The error is what is
// wrong with the text, as a sentence goes on after the option's name.
//
// No two servers have one name, because an escaped name holds no "-", and there is at most one name between two of them; and no
// name leaves "jupyter-*.service", which is where ours are looked for and what the drop-ins for everybody reach.
func ParseUnitTemplate(text string) (UnitNames, error) {
	t := strings.NewReplacer("{username}", userField, "{servername}", serverField).Replace(strings.TrimSuffix(text, unitSuffix))
	if !strings.Contains(t, serverField) {
		t += "-" + serverField
	}
	words := strings.NewReplacer(userField, "", serverField, "").Replace(t)
	switch {
	case strings.ContainsAny(words, "{}"):
		return UnitNames{}, fmt.Errorf(`is %q; it knows {USERNAME} and {SERVERNAME} alone: JupyterHub's {USERID} is a number of its database`, text)
	case !strings.HasPrefix(t, unitPrefix):
		return UnitNames{}, fmt.Errorf(`is %q; it has to begin with "jupyter-": that is how servers' units are told from others`, text)
	case !strings.Contains(t, userField):
		return UnitNames{}, fmt.Errorf(`is %q, one unit for everybody; add {USERNAME}`, text)
	case strings.ContainsFunc(words, func(c rune) bool { return c > 0x7f || c != '-' && !plain(byte(c)) }):
		return UnitNames{}, fmt.Errorf(`is %q; beside what it leaves open it may hold letters, digits, "-", "_", "." and ":"`, text)
	case len(words) > maxTemplate:
		return UnitNames{}, fmt.Errorf(`is %q; it has %d bytes beside what it leaves open, and %d at most leave room for names`, text, len(words), maxTemplate)
	}
	for _, segment := range strings.Split(t, "-") {
		if strings.Count(segment, userField)+strings.Count(segment, serverField) > 1 {
			return UnitNames{}, fmt.Errorf(`is %q; two servers could have one unit: put a "-" between what it leaves open`, text)
		}
	}
	return UnitNames{t}, nil
}
