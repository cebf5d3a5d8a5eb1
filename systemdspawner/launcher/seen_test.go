package launcher

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// transient is what systemd tells of a unit that Compose made.
func transient(ref hub.ServerRef) seen {
	return seen{
		"Transient": true, "Slice": hub.UserSlice(ref.User, ""), "ActiveState": "active", "UID": uint32(1000), "User": "1000",
		"InvocationID": []byte{0xab, 0xcd}, "ActiveEnterTimestamp": uint64(1_700_000_000_000_000),
		"LogExtraFields": [][]byte{mark(markUnit, hub.UnitName(ref)), mark(markUser, ref.User), mark(markServer, ref.Server)},
	}
}

func TestOursIsWhatWeMade(t *testing.T) {
	ref := hub.ServerRef{User: `EXAMPLE\mary ann`, Server: "a=b"}
	if got, ours := transient(ref).ours(hub.UnitName(ref)); !ours || got != ref {
		t.Fatalf("got %v, %t", got, ours)
	}
	for name, change := range map[string]func(seen){
		"an admin's unit file":    func(s seen) { s["Transient"] = false },
		"a unit without our mark": func(s seen) { s["LogExtraFields"] = [][]byte{mark(markUser, ref.User)} },
		"a unit in another slice": func(s seen) { s["Slice"] = "user-1000.slice" },
		"a unit of system.slice":  func(s seen) { s["Slice"] = "system.slice" },
		"a unit that is a copy":   func(s seen) { s["LogExtraFields"].([][]byte)[0] = mark(markUnit, "jupyter-bob.service") },
		"a unit of nobody":        func(s seen) { s["LogExtraFields"].([][]byte)[1] = mark(markUser, "") },
		"nothing at all":          func(s seen) { clear(s) },
	} {
		s := transient(ref)
		change(s)
		if got, ours := s.ours(hub.UnitName(ref)); ours {
			t.Errorf("%s is taken for %v", name, got)
		}
	}
}

// Units that were started when a name told the server alone go on; the mark which they have says nothing of another name.
func TestUnitsOfTheFormerMarkAreOurs(t *testing.T) {
	ref := hub.ServerRef{User: "alice", Server: "gpu"}
	s := transient(ref)
	s["LogExtraFields"].([][]byte)[0] = []byte("JUPYTERHUB_UNIT=1")
	if got, ours := s.ours("jupyter-alice-gpu.service"); !ours || got != ref {
		t.Errorf("got %v, %t", got, ours)
	}
	if got, ours := s.ours("jupyter-alice-singleuser-gpu.service"); ours {
		t.Errorf("a unit of another name is taken for %v", got)
	}
}

// Whatever the template was that a unit was started by, its marks say whose it is.
func TestOursHasAnyName(t *testing.T) {
	for _, template := range []string{"jupyter-{USERNAME}-singleuser", "jupyter-{SERVERNAME}-{USERNAME}", "jupyter-{USERNAME}-x"} {
		names, err := hub.ParseUnitTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []hub.ServerRef{{User: "alice"}, {User: `EXAMPLE\mary ann`, Server: "a=b ~"}, {User: strings.Repeat("ü", 60), Server: "x"}} {
			o := order(hub.Account{Name: ref.User, UID: 1000, Home: "/home/x"}, ref.Server, ordinary())
			o.Unit = names.Of(ref)
			c, err := Compose(DefaultLayout(), o)
			if err != nil {
				t.Fatal(err)
			}
			s := seen{"Transient": true}
			for _, p := range c.Properties {
				s[p.Name] = p.Value.Value()
			}
			if got, ours := s.ours(c.Unit); !ours || got != ref {
				t.Errorf("%s is taken for %q, %t", c.Unit, got, ours)
			}
			if got, ours := s.ours("jupyter-bob.service"); ours {
				t.Errorf("a copy of %s is taken for %q", c.Unit, got)
			}
		}
	}
}

func TestAUnitIsToldAsSystemdTellsIt(t *testing.T) {
	ref := hub.ServerRef{User: "alice"}
	got := transient(ref).unit(hub.UnitName(ref), ref)
	want := hub.Unit{
		ServerRef: ref, Name: "jupyter-alice.service", UID: 1000, State: hub.UnitActive, Invocation: "abcd",
		Since: time.UnixMicro(1_700_000_000_000_000).UTC(), Memory: -1, CPU: -1, Tasks: -1,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s := transient(ref)
	s["UID"], s["ActiveState"] = uint32(1<<32-1), "reloading"
	if u := s.unit(hub.UnitName(ref), ref); u.UID != 1000 || u.State != hub.UnitActive {
		t.Errorf("got %+v", u)
	}
	if u := (seen{}).unit(hub.UnitName(ref), ref); u.UID != hub.NoUID || u.State != hub.UnitInactive {
		t.Errorf("got %+v", u)
	}
}

func TestSlicesDoNotNestByAccident(t *testing.T) {
	for name, want := range map[string]string{
		hub.UserSlice("alice", ""):     "jupyter-user_alice.slice",
		hub.UserSlice("mary-ann", ""):  `jupyter-user_mary\x2dann.slice`,
		hub.GroupSlice("domain users"): `jupyter-group_domain\x20users.slice`,
		hub.GroupSlice("a-b/c"):        `jupyter-group_a\x2db\x2fc.slice`,
	} {
		if name != want {
			t.Errorf("got %s, want %s", name, want)
		}
	}
}

// Between the stop and the start of a restart a unit is inactive, or failed where it was killed, and has not ended.
func TestAUnitWithAStartAheadHasNotEnded(t *testing.T) {
	job := func(id uint32) []any { return []any{id, "/org/freedesktop/systemd1/job/" + fmt.Sprint(id)} }
	for _, c := range []struct {
		properties seen
		want       hub.UnitState
	}{
		{seen{"ActiveState": "inactive", "Job": job(7)}, hub.UnitActivating},
		{seen{"ActiveState": "inactive", "Job": job(0)}, hub.UnitInactive},
		{seen{"ActiveState": "inactive"}, hub.UnitInactive},
		{seen{"ActiveState": "failed", "Job": job(7)}, hub.UnitActivating},
		{seen{"ActiveState": "failed", "Job": job(0)}, hub.UnitFailed},
		{seen{}, hub.UnitInactive},
	} {
		if got := c.properties.state(); got != c.want {
			t.Errorf("%v is %s, want %s", c.properties, got, c.want)
		}
	}
}

// Systemd has one word for a unit that ran for as long as it may and for one that did not end when it was told to.
func TestWhoseTimeWasOver(t *testing.T) {
	const minute = uint64(time.Minute / time.Microsecond)
	for name, c := range map[string]struct {
		most, from, to uint64
		over           bool
	}{
		"it ran for as long as it may": {minute, 5 * minute, 6*minute + 3, true},
		"it was stopped before":        {minute, 5 * minute, 6*minute - 3, false},
		"it may run for ever":          {infinity, 5 * minute, 900 * minute, false},
		"it never ran":                 {minute, 0, 0, false},
	} {
		s := seen{"Result": "timeout", "ActiveEnterTimestamp": c.from, "RuntimeMaxUSec": c.most,
			"ActiveEnterTimestampMonotonic": c.from, "ActiveExitTimestampMonotonic": c.to}
		if end := s.ending(); end.Over != c.over || end.asked() != (!c.over && c.from > 0) {
			t.Errorf("%s: %+v", name, end)
		}
	}
}

// Of the commands before the program, the one counts that failed and may not.
func TestTheCommandThatFailedBefore(t *testing.T) {
	command := func(path string, mayFail bool, code, status int32) []any {
		return []any{path, []string{path}, mayFail, uint64(1), uint64(1), uint64(2), uint64(2), uint32(77), code, status}
	}
	s := seen{"Result": "exit-code", "ExecMainCode": int32(0), "ExecMainStatus": int32(0), "ExecStartPre": [][]any{
		command("/bin/true", false, cldExited, 0), command("/bin/maybe", true, cldExited, 1), command("/bin/false", false, cldExited, 4),
		command("/bin/never", false, 0, 0), {"what is this"},
	}}
	if end := s.ending(); end.Before != "/bin/false" || end.Code != cldExited || end.Status != 4 {
		t.Errorf("%+v", end)
	}
	s["ExecMainCode"], s["ExecMainStatus"] = int32(cldExited), int32(1)
	if end := s.ending(); end.Before != "" || end.Status != 1 {
		t.Errorf("the program itself failed: %+v", end)
	}
}
