package system

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// What `jupyterhub explain` says of a unit's properties is what systemd has, word by word; and whatever systemd has of a server's unit that
// a unit has not of which nothing was said, the explanation names. So nothing is made up, and nothing is forgotten.
func TestWhatIsExplainedIsWhatRuns(t *testing.T) {
	s := onStage(t)
	s.run("mkdir", "-p", "/srv/course", "/srv/work")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure(`[spawner]
cmd = ["probe-singleuser"]
[spawner.user.bob]
user_workingdir = "/srv/work"
isolate_tmp = false
disable_user_sudo = false
readonly_paths = ["/srv/course"]
mem_high = "400M"
mem_guarantee = "64M"
swap_limit = "0"
cpu_limit = 1.5
cpu_guarantee = 0.5
io_weight = 70
runtime_max = "8h"
ip_address_allow = ["localhost", "10.0.0.0/8"]
ip_address_deny = ["any"]
device_allow = ["/dev/null", "char-pts"]
environment = { COURSE = "of {username}" }
[spawner.user.bob.unit_extra_properties]
AllowedCPUs = "0"
BindReadOnlyPaths = ["/srv/course:/srv/read", "-/srv/none"]
ExecStartPre = ["-/bin/true {username}"]
LimitNOFILE = "1024:4096"
LogLevelMax = "debug"
Nice = 3
OOMScoreAdjust = 100
ProtectHome = "no"
RestrictNamespaces = "user mnt"
SupplementaryGroups = ["games"]
SystemCallFilter = ["@system-service", "~@keyring"]
UMask = "0027"
`)
	s.run("systemd-run", "--unit=nothing-said", "--slice=jupyter.slice", "sleep", "infinity")
	s.afterwards("systemctl", "stop", "nothing-said.service")
	nothing := s.has("nothing-said.service")
	for _, ref := range []hub.ServerRef{alice, bob} {
		s.start(ref)
		e, err := s.rootside().Explain(s.ctx, ref, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		explained := map[string]string{}
		for _, p := range e.Properties {
			if lists[p.Name] {
				p.Value = explained[p.Name] + " " + p.Value
			}
			explained[p.Name] = p.Value // the later wins
		}
		has := s.has(e.Unit)
		for name, value := range explained {
			if !agrees(name, value, has[name]) {
				t.Errorf("%s of %s is explained as %q, and systemd has %q", name, ref, value, has[name])
			}
		}
		for name, value := range has {
			if _, is := explained[name]; !is && value != nothing[name] && !follows(name) {
				t.Errorf("%s of %s is %q, not %q, and that is not explained", name, ref, value, nothing[name])
			}
		}
	}
}

// lists are properties whose values add up.
var lists = map[string]bool{"BindPaths": true, "BindReadOnlyPaths": true, "InaccessiblePaths": true, "ReadOnlyPaths": true, "ReadWritePaths": true, "SystemCallFilter": true}

// agrees compares words, since systemd sorts some lists; of some it has more than was said.
func agrees(name, said, has string) bool {
	a, b := strings.Fields(said), strings.Fields(has)
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	switch name {
	case "After", "RequiresMountsFor", "DeviceAllow": // dependencies of what was said, and the harmless devices
		return !slices.ContainsFunc(a, func(word string) bool { return !slices.Contains(b, word) })
	case "SystemCallFilter": // which has the calls of each group by their names
		if a[0][0] == '~' {
			return b[0] == "~" && slices.Contains(b, "bpf") && slices.Contains(b, "mount") && !slices.Contains(b, "read")
		}
		return strings.Contains(said, "@system-service") && slices.Contains(b, "read") && !slices.Contains(b, "mount") &&
			strings.Contains(said, "~@keyring") != slices.Contains(b, "keyctl")
	}
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// follows reports whether a property is no setting: it tells how a unit is doing, or what else something that is explained means.
func follows(name string) bool {
	for _, part := range []string{"Timestamp", "TimestampMonotonic", "Current", "PID", "InvocationID", "ControlGroup", "ControlGroupId", "Available", "Bytes", "Packets", "Operations", "NSec"} {
		if strings.HasSuffix(name, part) {
			return true
		}
	}
	return strings.HasPrefix(name, "ExecMain") || slices.Contains([]string{
		"Id", "Names", "UID", "GID", "FragmentPath", "Documentation", "Transient", "Result", "StatusErrno", "NRestarts",
		"ExecStartEx", "ExecStartPreEx", "ExecStopPostEx", "TimeoutAbortSec", // those without the ending
		"Requires", "Wants", "WantsMountsFor", // RequiresMountsFor=, PrivateTmp=
		"CapabilityBoundingSet", "DeviceAllow", "DevicePolicy", // PrivateDevices=, ProtectClock=, ProtectKernelModules=
	}, name)
}

// has returns what systemd has of a unit, as a unit file would say it.
func (s *stage) has(unit string) map[string]string {
	s.t.Helper()
	bus, err := s.Bus(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	defer bus.Close()
	all, err := bus.GetAllPropertiesContext(s.ctx, unit)
	if err != nil {
		s.t.Fatal(err)
	}
	said := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, value := sayProperty(name, all[name])
		said[key] = value
	}
	return said
}

func sayProperty(name string, value any) (key, text string) {
	us, isNumber := value.(uint64)
	span := func() string {
		if us == math.MaxUint64 {
			return "infinity"
		}
		return (time.Duration(us) * time.Microsecond).String()
	}
	switch {
	case name == "CPUQuotaPerSecUSec":
		return "CPUQuota", fmt.Sprintf("%g%%", float64(us)/1e4)
	case isNumber && strings.HasSuffix(name, "USec"):
		return strings.TrimSuffix(name, "USec") + "Sec", span()
	case isNumber && us == math.MaxUint64:
		return name, "infinity"
	}
	if say, is := ownWay[name]; is {
		return name, say(value)
	}
	return name, sayValue(value)
}

// ownWay are the properties that unit files have in a form of their own.
var ownWay = map[string]func(any) string{
	"AllowedCPUs":           func(v any) string { return map[bool]string{true: "0"}[strings.HasPrefix(fmt.Sprint(v), "[1")] },
	"BindPaths":             func(v any) string { return sayEach(v, func(f []any) string { return fmt.Sprint(f[0], ":", f[1]) }) },
	"BindReadOnlyPaths":     func(v any) string { return sayEach(v, func(f []any) string { return fmt.Sprint(f[0], ":", f[1]) }) },
	"CapabilityBoundingSet": func(v any) string { return strings.TrimPrefix(fmt.Sprint(v), "0") },
	"ExecStart":             sayCommand, "ExecStartPre": sayCommand, "ExecStopPost": sayCommand,
	"IPAddressAllow": sayNetworks, "IPAddressDeny": sayNetworks,
	"LoadCredential": func(v any) string { return sayEach(v, func(f []any) string { return fmt.Sprint(f[0], ":", f[1]) }) },
	"LogExtraFields": func(v any) string {
		fields, _ := v.([][]byte)
		return fmt.Sprintf("%s", fields)[1:max(1, len(fmt.Sprintf("%s", fields))-1)]
	},
	"LogLevelMax":             func(v any) string { return map[string]string{"7": "debug"}[fmt.Sprint(v)] },
	"RestrictAddressFamilies": sayFilter,
	"RestrictNamespaces":      func(v any) string { return map[string]string{"0": "yes", "268566528": "mnt user"}[fmt.Sprint(v)] },
	"SuccessExitStatus":       func(v any) string { return strings.Trim(strings.TrimSuffix(fmt.Sprint(v), " []]"), "[]") },
	"SystemCallErrorNumber":   func(v any) string { return map[string]string{"1": "EPERM"}[fmt.Sprint(v)] },
	"SystemCallFilter":        sayFilter,
	"TemporaryFileSystem":     func(v any) string { return sayEach(v, func(f []any) string { return fmt.Sprint(f[0], ":", f[1]) }) },
	"UMask":                   func(v any) string { return fmt.Sprintf("%04o", v) },
}

func sayEach(value any, say func([]any) string) string {
	list, _ := value.([][]any)
	all := make([]string, len(list))
	for i, fields := range list {
		all[i] = say(fields)
	}
	return strings.Join(all, " ")
}

func sayCommand(value any) string {
	return sayEach(value, func(f []any) string { argv, _ := f[1].([]string); return strings.Join(argv, " ") })
}

// sayFilter begins with a word of its own where the list is not of what is allowed.
func sayFilter(value any) string {
	pair, _ := value.([]any)
	if len(pair) != 2 {
		return ""
	}
	list := sayValue(pair[1])
	if list == "" || pair[0] == true {
		return list
	}
	return "~ " + list
}

func sayNetworks(value any) string {
	return sayEach(value, func(f []any) string {
		address, _ := f[1].([]byte)
		bits, _ := f[2].(uint32)
		a, _ := netip.AddrFromSlice(address)
		return netip.PrefixFrom(a, int(bits)).String()
	})
}

func sayValue(value any) string {
	switch v := value.(type) {
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case []string:
		return strings.Join(v, " ")
	case [][]any:
		return sayEach(v, func(f []any) string { return strings.Trim(fmt.Sprint(f), "[]") })
	}
	return fmt.Sprint(value)
}
