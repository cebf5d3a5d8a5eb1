package launcher

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// spokenOf writes a property as a unit file would have it.
func spokenOf(p sd.Property) hub.Provided {
	name, value := p.Name, p.Value.Value()
	if n, is := value.(uint64); is && strings.HasSuffix(name, "USec") {
		return spanText(name, n)
	}
	if words, is := inWords[name]; is {
		return hub.Provided{Name: name, Value: words(value)}
	}
	return hub.Provided{Name: name, Value: valueText(value)}
}

// spanText writes what the bus counts in microseconds.
func spanText(name string, us uint64) hub.Provided {
	if base, is := strings.CutSuffix(name, "PerSecUSec"); is {
		return hub.Provided{Name: base, Value: fmt.Sprintf("%g%%", float64(us)/1e4)}
	}
	value := "infinity"
	if us != infinity {
		value = (time.Duration(us) * time.Microsecond).String()
	}
	return hub.Provided{Name: strings.TrimSuffix(name, "USec") + "Sec", Value: value}
}

func valueText(value any) string {
	switch v := value.(type) {
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case uint64:
		if v == infinity {
			return "infinity"
		}
	case []string:
		return strings.Join(v, " ")
	case [][]byte:
		return words(v, func(b []byte) string { return string(b) })
	case []command:
		return words(v, func(c command) string { return strings.Join(c.Argv, " ") })
	case filter:
		return map[bool]string{true: "", false: "~"}[v.Allow] + strings.Join(v.Names, " ")
	case []mount:
		return words(v, func(m mount) string { return strings.TrimSuffix(m.Path+":"+m.Options, ":") })
	case []bind:
		return words(v, func(b bind) string { return b.From + ":" + b.To })
	case []extension:
		return words(v, func(e extension) string { return e.Path })
	case []network:
		return words(v, network.String)
	case exits:
		return strings.Trim(fmt.Sprint(v.Statuses), "[]")
	}
	return fmt.Sprint(value)
}

func words[T any](list []T, word func(T) string) string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = word(v)
	}
	return strings.Join(all, " ")
}

// inWords are the properties that the bus has as numbers, and unit files as words.
var inWords = map[string]func(value any) string{
	"AllowedCPUs":           cpuText,
	"CapabilityBoundingSet": capabilityText,
	"DeviceAllow":           deviceText,
	"LogLevelMax":           levelText,
	"RestrictNamespaces":    namespaceText,
	"SystemCallErrorNumber": errnoText,
	"UMask":                 modeText,
}

func cpuText(value any) string {
	set, _ := value.([]byte)
	var all []string
	for n := range len(set) * 8 {
		if set[n/8]&(1<<(n%8)) != 0 {
			all = append(all, fmt.Sprint(n))
		}
	}
	return strings.Join(all, " ")
}

func capabilityText(value any) string {
	set, _ := value.(uint64)
	var all []string
	for n, name := range capabilities {
		if set&(1<<n) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func deviceText(value any) string {
	nodes, _ := value.([]mount)
	return words(nodes, func(m mount) string { return m.Path + " " + m.Options })
}

func levelText(value any) string {
	if n, is := value.(int32); is && n >= 0 && int(n) < len(levels) {
		return levels[n]
	}
	return fmt.Sprint(value)
}

func namespaceText(value any) string {
	allowed, _ := value.(uint64)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		if allowed&namespaces[name] != 0 {
			all = append(all, name)
		}
	}
	switch len(all) {
	case 0:
		return "yes"
	case len(namespaces):
		return "no"
	}
	return strings.Join(all, " ")
}

func errnoText(value any) string {
	n, _ := value.(int32)
	return unix.ErrnoName(unix.Errno(n))
}

func modeText(value any) string { return fmt.Sprintf("%04o", value) }
