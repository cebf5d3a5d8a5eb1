package store

import (
	"testing"

	"jupyterhubd/hub"
)

// What was used is kept by user and day, for a little more than a year, and goes where its user goes.
func TestUsage(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice", "bob")
	add := func(c hub.Consumption) {
		t.Helper()
		if err := s.Update(func(tx *Tx) error { return tx.AddUsage(c) }); err != nil {
			t.Fatal(err)
		}
	}
	days := func(user, first, last string) (found []hub.Consumption) {
		t.Helper()
		view(t, s, func(tx *Tx) (err error) { found, err = tx.Usage(user, first, last); return err })
		return found
	}
	add(hub.Consumption{User: "alice", Day: "2025-10-01", CPUSeconds: 1})
	add(hub.Consumption{User: "alice", Day: "2025-12-31", CPUSeconds: 2})
	add(hub.Consumption{User: "alice", Day: "2026-11-24", CPUSeconds: 3, MemoryHours: 1, ServerHours: 1})
	add(hub.Consumption{User: "alice", Day: "2026-11-24", CPUSeconds: 4, MemoryHours: 1, ServerHours: 2})
	add(hub.Consumption{User: "bob", Day: "2026-11-24", CPUSeconds: 5})
	add(hub.Consumption{User: "nobody", Day: "2026-11-24", CPUSeconds: 6})
	if got := days("alice", "", ""); len(got) != 2 || got[0].Day != "2025-12-31" || got[1] != (hub.Consumption{User: "alice", Day: "2026-11-24", CPUSeconds: 7, MemoryHours: 2, ServerHours: 3}) {
		t.Errorf("alice has %+v", got)
	}
	if got := days("alice", "2026-01-01", "2026-11-23"); len(got) != 0 {
		t.Errorf("in between she has %+v", got)
	}
	err := s.Update(func(tx *Tx) error { return tx.RenameUser("alice", "alicia") })
	if got := days("alicia", "", ""); err != nil || len(got) != 2 || got[1].User != "alicia" || len(days("alice", "", "")) != 0 {
		t.Errorf("under her new name she has %+v, %v", got, err)
	}
	if err := s.Update(func(tx *Tx) error { return tx.DeleteUser("alicia") }); err != nil || len(days("alicia", "", "")) != 0 {
		t.Errorf("when she is gone, %+v is left: %v", days("alicia", "", ""), err)
	}
	var all []hub.Consumption
	view(t, s, func(tx *Tx) (err error) { all, err = tx.UsageOfAll("", ""); return err })
	if len(all) != 1 || all[0].User != "bob" {
		t.Errorf("left is %+v", all)
	}
	wantKind(t, s.Update(func(tx *Tx) error { return tx.AddUsage(hub.Consumption{User: "bob", Day: "today"}) }), hub.Invalid)
}
