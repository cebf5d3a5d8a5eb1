package units

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// directive is one line of a unit file.
type directive struct{ section, key, value string }

type unit struct {
	name       string
	directives []directive
	comments   string
}

func read(t *testing.T, name string) unit {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	u := unit{name: name}
	section := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch key, value, found := strings.Cut(line, "="); {
		case strings.HasPrefix(line, "#"):
			u.comments += line + "\n"
		case strings.HasPrefix(line, "["):
			section = line
		case found:
			u.directives = append(u.directives, directive{section, key, value})
		case line != "":
			t.Errorf("%s: %q is neither a comment, a section nor a directive", name, line)
		}
	}
	return u
}

func readAll(t *testing.T, pattern string) []unit {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no unit matches %q: %v", pattern, err)
	}
	var all []unit
	for _, n := range names {
		all = append(all, read(t, n))
	}
	return all
}

// get returns the values of a key, in order, joined by blanks.
func (u unit) get(key string) string {
	var values []string
	for _, d := range u.directives {
		if d.key == key {
			values = append(values, d.value)
		}
	}
	return strings.Join(values, " ")
}

func (u unit) has(key string) bool {
	return slices.ContainsFunc(u.directives, func(d directive) bool { return d.key == key })
}

func TestDirectivesAreSorted(t *testing.T) {
	for _, u := range slices.Concat(readAll(t, "*.service"), readAll(t, "*.socket"), readAll(t, "*.timer"), readAll(t, "*.slice")) {
		for i, d := range u.directives[1:] {
			if before := u.directives[i]; before.section == d.section && before.key > d.key {
				t.Errorf("%s: %s= stands after %s=", u.name, d.key, before.key)
			}
		}
	}
}

// Who may knock on which door: DESIGN's table, as the sockets say it.
func TestDoors(t *testing.T) {
	const world = "" // TCP
	for name, want := range map[string]struct{ listen, fd, group, mode, service string }{
		"jupyterhub-admin":       {"/run/jupyterhub/admin.sock", "admin", "jupyterhub-admin", "0660", "jupyterhub.service"},
		"jupyterhub-api":         {"127.0.0.1:8081", "api", world, world, "jupyterhub.service"},
		"jupyterhub-credentials": {"/run/jupyterhub/credentials.sock", "credentials", "", "0600", "jupyterhub.service"},
		"jupyterhub-hub":         {"/run/jupyterhub/hub.sock", "hub", "jupyterhub-proxy", "0660", "jupyterhub.service"},
		"jupyterhub-pam":         {"/run/jupyterhub/pam.sock", "", "jupyterhub", "0660", ""},
		"jupyterhub-passwd":      {"/run/jupyterhub/passwd.sock", "", "jupyterhub", "0660", ""},
		"jupyterhub-proxy":       {"127.0.0.1:8000", "http", world, world, "jupyterhub-proxy.service"},
		"jupyterhub-proxy-api":   {"/run/jupyterhub-proxy/api.sock", "api", "jupyterhub", "0660", "jupyterhub-proxy.service"},
		"jupyterhub-spawnd":      {"/run/jupyterhub/spawnd.sock", "spawnd", "jupyterhub", "0660", "jupyterhub-spawnd.service"},
	} {
		u := read(t, name+".socket")
		got := struct{ listen, fd, group, mode, service string }{
			u.get("ListenStream"), u.get("FileDescriptorName"), u.get("SocketGroup"), u.get("SocketMode"), u.get("Service")}
		if got != want {
			t.Errorf("%s: %+v, want %+v", u.name, got, want)
		}
		if isFile := strings.HasPrefix(want.listen, "/"); isFile != (u.get("RemoveOnStop") == "yes") {
			t.Errorf("%s: a file goes with its door, an address has none: RemoveOnStop=%s", u.name, u.get("RemoveOnStop"))
		}
	}
	if n := len(readAll(t, "*.socket")); n != 9 {
		t.Errorf("%d sockets, of which 9 are in the table", n)
	}
}

func TestNoStormClosesADoor(t *testing.T) {
	for _, u := range readAll(t, "*.socket") {
		if u.get("TriggerLimitIntervalSec") != "0" {
			t.Errorf("%s: quick connections fail it for good without TriggerLimitIntervalSec=0", u.name)
		}
	}
	for _, u := range readAll(t, "*.service") {
		if u.get("Restart") == "always" && (u.get("StartLimitIntervalSec") != "0" || u.get("RestartSec") == "") {
			t.Errorf("%s: a crash loop fails its sockets for good without StartLimitIntervalSec=0", u.name)
		}
		if u.has("RuntimeDirectory") {
			t.Errorf("%s: RuntimeDirectory= is removed with a restart, and the sockets in it", u.name)
		}
	}
}

func TestEverythingStopsWithTheTarget(t *testing.T) {
	also := strings.Fields(read(t, "jupyterhub.service").get("Also"))
	for _, u := range slices.Concat(readAll(t, "*.service"), readAll(t, "*.socket"), readAll(t, "*.timer")) {
		if u.get("PartOf") != "jupyterhub.target" {
			t.Errorf("%s is not PartOf=jupyterhub.target", u.name)
		}
		if u.has("WantedBy") && u.name != "jupyterhub.service" && !slices.Contains(also, u.name) {
			t.Errorf("%s is not enabled with jupyterhub.service: add it to Also=", u.name)
		}
	}
}

func TestDaemonsLiveInTheirSlice(t *testing.T) {
	for _, u := range readAll(t, "*.service") {
		if u.get("Slice") != "system-jupyterhub.slice" {
			t.Errorf("%s: Slice=%s", u.name, u.get("Slice"))
		}
		watched := u.get("Type") == "notify"
		if watched != u.has("WatchdogSec") || watched != (u.get("Restart") == "always") {
			t.Errorf("%s: what is Type=notify is watched and restarted, and nothing else is", u.name)
		}
	}
}

// The root programs, and the one that the whole world speaks to, are judged by what they may, exactly: the whole unit is held by a
// golden file. A line that changes here changes docs/security.md too.
func TestTheyMayExactlyThis(t *testing.T) {
	for _, name := range []string{"jupyterhub-spawnd.service", "jupyterhub-pam@.service", "jupyterhub-passwd@.service", "jupyterhub-proxy.service"} {
		u := read(t, name)
		var lines strings.Builder
		for _, d := range u.directives {
			fmt.Fprintf(&lines, "%s %s=%s\n", d.section, d.key, d.value)
		}
		golden := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(lines.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if lines.String() != string(want) {
			t.Errorf("%s is not what %s says; when it shall be, go test ./units -update. It says:\n%s", name, golden, lines.String())
		}
		reasons(t, u)
	}
}

// The lists that are told in DESIGN and docs/security.md, where a golden file would be updated without a thought.
func TestCapabilitiesFamiliesAndPaths(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"jupyterhub-spawnd.service": {
			"CapabilityBoundingSet":   "CAP_CHOWN CAP_DAC_READ_SEARCH",
			"ReadWritePaths":          "/run/jupyter",
			"RestrictAddressFamilies": "AF_UNIX",
		},
		"jupyterhub-pam@.service": {
			"CapabilityBoundingSet":   "CAP_AUDIT_WRITE CAP_DAC_READ_SEARCH CAP_SETGID CAP_SETUID",
			"ReadWritePaths":          "-/run/faillock",
			"RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
		},
		"jupyterhub-passwd@.service": {
			"CapabilityBoundingSet":   "CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_READ_SEARCH CAP_SETGID CAP_SETUID",
			"ReadWritePaths":          "/etc -/run/faillock",
			"RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
		},
		"jupyterhub-proxy.service": {
			"CapabilityBoundingSet":   "",
			"ReadWritePaths":          "",
			"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
			"StateDirectory":          "jupyterhub-proxy",
			"User":                    "jupyterhub-proxy",
		},
	} {
		u := read(t, name)
		for key, value := range want {
			if u.get(key) != value {
				t.Errorf("%s: %s=%s, want %s", name, key, u.get(key), value)
			}
		}
	}
}

// All servers together leave the machine alive, and ours stay in memory whatever they do.
func TestSlices(t *testing.T) {
	const systemSlice = 100 // CPUWeight= and IOWeight= of system.slice, where nobody has changed them
	u := read(t, "jupyter.slice")
	for _, key := range []string{"CPUWeight", "IOWeight"} {
		if n, err := strconv.Atoi(u.get(key)); err != nil || n >= systemSlice {
			t.Errorf("%s: %s=%s does not stand back behind the system", u.name, key, u.get(key))
		}
	}
	for _, key := range []string{"MemoryMax", "TasksMax"} {
		n, err := strconv.Atoi(strings.TrimSuffix(u.get(key), "%"))
		if err != nil || !strings.HasSuffix(u.get(key), "%") || n > 90 {
			t.Errorf("%s: %s=%s leaves too little to the machine", u.name, key, u.get(key))
		}
	}
	for _, daemon := range []string{"jupyterhub.service", "jupyterhub-proxy.service"} {
		if !slices.Contains(strings.Fields(u.get("After")), daemon) {
			t.Errorf("%s: at shutdown %s may end before the servers", u.name, daemon)
		}
	}
	daemons, system := read(t, "system-jupyterhub.slice"), read(t, "system.slice.d/jupyterhub.conf")
	if daemons.get("MemoryMin") == "" || daemons.get("MemoryMin") != system.get("MemoryMin") {
		t.Errorf("MemoryMin=%s needs as much of the slice above it, which grants %s", daemons.get("MemoryMin"), system.get("MemoryMin"))
	}
}

// reasons finds a word about every capability and address family in the comments.
func reasons(t *testing.T, u unit) {
	t.Helper()
	for _, hole := range strings.Fields(u.get("CapabilityBoundingSet") + " " + u.get("RestrictAddressFamilies")) {
		_, short, _ := strings.Cut(hole, "_")
		if !strings.Contains(u.comments, short) {
			t.Errorf("%s: no reason for %s", u.name, hole)
		}
	}
}

func TestPeersAreNotHidden(t *testing.T) {
	for _, u := range readAll(t, "*.service") {
		if u.name != "jupyterhub-idle-culler.service" && u.has("PrivateUsers") {
			t.Errorf("%s looks at its peers, and with PrivateUsers= each is uid 65534", u.name)
		}
	}
}

// TestExposure holds the daemons without privilege to systemd's own judgement.
func TestExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("this host has no systemd-analyze; make test installs it")
	}
	const most = 15 // tenths
	for _, name := range []string{"jupyterhub.service", "jupyterhub-proxy.service", "jupyterhub-idle-culler.service"} {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=yes", "--json=short",
			fmt.Sprintf("--threshold=%d", most), path).Output()
		if err == nil {
			continue
		}
		var rows []struct {
			Set         *bool  `json:"set"`
			Name        string `json:"name"`
			Exposure    string `json:"exposure"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(out, &rows); err != nil {
			t.Errorf("%s: over %d tenths, and %v", name, most, err)
		}
		for _, r := range rows {
			if r.Set != nil && !*r.Set {
				t.Logf("%s: %s %s: %s", name, r.Exposure, r.Name, r.Description)
			}
		}
		t.Errorf("%s: exposed over %d tenths", name, most)
	}
}
