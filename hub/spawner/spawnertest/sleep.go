package spawnertest

import (
	"context"
	"time"

	"jupyterhubd/hub"
)

// Freeze lays a unit to sleep, as its script says.
func (f *Fake) Freeze(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	return f.shift(ctx, ref, "freeze", true)
}

// Thaw wakes a unit.
func (f *Fake) Thaw(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	return f.shift(ctx, ref, "thaw", false)
}

func (f *Fake) shift(ctx context.Context, ref hub.ServerRef, verb string, frozen bool) (hub.Unit, error) {
	f.mu.Lock()
	f.calls = append(f.calls, verb+" "+ref.String())
	script, away, u := f.scripts[ref], f.away, f.units[ref]
	f.mu.Unlock()
	switch {
	case away:
		return hub.Unit{}, errAway()
	case u.State != hub.UnitActive:
		return hub.Unit{}, hub.Errorf(hub.NotRunning, "%s does not run", ref)
	case frozen && script.Restless:
		return hub.Unit{}, &hub.Error{Kind: hub.Unavailable, Text: "cannot freeze",
			Cause: &hub.Cause{Kind: hub.CauseCannotFreeze, Message: "This machine cannot freeze."}}
	}
	select {
	case <-time.After(script.FreezeDelay):
	case <-ctx.Done():
		return hub.Unit{}, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.units[ref]
	if now.Invocation != u.Invocation || now.State != hub.UnitActive {
		return hub.Unit{}, hub.Errorf(hub.NotRunning, "%s has ended", ref)
	}
	if now.Frozen != frozen {
		now.Frozen = frozen
		f.put(now)
	}
	if f.away {
		return hub.Unit{}, errAway() // it is done, the answer is lost
	}
	return now, nil
}

// Work sets how much processor time a server's unit has consumed, and what memory it has.
func (f *Fake) Work(ref hub.ServerRef, cpu time.Duration, memory int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work[ref] = [2]int64{int64(cpu), memory}
}
