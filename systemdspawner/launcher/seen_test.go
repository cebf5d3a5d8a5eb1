package launcher

import (
	"fmt"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// transient is what systemd tells of a unit that Compose made.
func transient(ref hub.ServerRef) seen {
	return seen{
		"Transient": true, "Slice": hub.UserSlice(ref.User, ""), "ActiveState": "active", "UID": uint32(1000), "User": "1000",
		"InvocationID": []byte{0xab, 0xcd}, "ActiveEnterTimestamp": uint64(1_700_000_000_000_000),
		"LogExtraFields": [][]byte{[]byte("JUPYTERHUB_UNIT=1"), mark(markUser, ref.User), mark(markServer, ref.Server)},
	}
}

func TestOursIsWhatWeMade(t *testing.T) {
	ref := hub.ServerRef{User: `EXAMPLE\mary ann`, Server: "a=b"}
	if got, ours := transient(ref).ours(hub.UnitName(ref)); !ours || got != ref {
		t.Fatalf("got %v, %t", got, ours)
	}
	for name, change := range map[string]func(seen){
		"an admin's unit file":       func(s seen) { s["Transient"] = false },
		"a unit without our mark":    func(s seen) { s["LogExtraFields"] = [][]byte{mark(markUser, ref.User)} },
		"a unit in another slice":    func(s seen) { s["Slice"] = "user-1000.slice" },
		"a unit of system.slice":     func(s seen) { s["Slice"] = "system.slice" },
		"a unit that says it is bob": func(s seen) { s["LogExtraFields"].([][]byte)[1] = []byte("JUPYTERHUB_USER=bob") },
		"nothing at all":             func(s seen) { clear(s) },
	} {
		s := transient(ref)
		change(s)
		if got, ours := s.ours(hub.UnitName(ref)); ours {
			t.Errorf("%s is taken for %v", name, got)
		}
	}
}

func TestAUnitIsToldAsSystemdTellsIt(t *testing.T) {
	ref := hub.ServerRef{User: "alice"}
	got := transient(ref).unit(ref)
	want := hub.Unit{
		ServerRef: ref, Name: "jupyter-alice.service", UID: 1000, State: hub.UnitActive, Invocation: "abcd",
		Since: time.UnixMicro(1_700_000_000_000_000).UTC(), Memory: -1, CPU: -1, Tasks: -1,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s := transient(ref)
	s["UID"], s["ActiveState"] = uint32(1<<32-1), "reloading"
	if u := s.unit(ref); u.UID != 1000 || u.State != hub.UnitActive {
		t.Errorf("got %+v", u)
	}
	if u := (seen{}).unit(ref); u.UID != hub.NoUID || u.State != hub.UnitInactive {
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

// Between the stop and the start of a restart a unit is inactive, and has not ended.
func TestAUnitWithAStartAheadHasNotEnded(t *testing.T) {
	job := func(id uint32) []any { return []any{id, "/org/freedesktop/systemd1/job/" + fmt.Sprint(id)} }
	for _, c := range []struct {
		properties seen
		want       hub.UnitState
	}{
		{seen{"ActiveState": "inactive", "Job": job(7)}, hub.UnitActivating},
		{seen{"ActiveState": "inactive", "Job": job(0)}, hub.UnitInactive},
		{seen{"ActiveState": "inactive"}, hub.UnitInactive},
		{seen{"ActiveState": "failed", "Job": job(7)}, hub.UnitFailed},
		{seen{}, hub.UnitInactive},
	} {
		if got := c.properties.state(); got != c.want {
			t.Errorf("%v is %s, want %s", c.properties, got, c.want)
		}
	}
}
