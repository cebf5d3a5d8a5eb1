package spawnertest

import (
	"context"
	"encoding/json"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
)

// Door is all that a program behind the spawner's door is asked, which the client in package systemdspawner offers. What makes no sense
// for what it runs may be refused as Invalid (Explain, Limit), or answered with nothing.
type Door interface {
	spawner.Spawner
	Ended(ctx context.Context, invocations []string) ([]hub.Ended, error)
	Headroom(ctx context.Context) (hub.Headroom, error)
	Profiles(ctx context.Context, user string) ([]hub.Offer, error)
	Explain(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Explanation, error)
	Limit(ctx context.Context, ref hub.ServerRef, limits *hub.Limits, forGood bool) (hub.Limits, error)
	Journal(ctx context.Context, ref hub.ServerRef, lines int) ([]string, error)
}

// RunDoor checks the rest of what is promised by a program behind the spawner's door.
func RunDoor(t *testing.T, cast Cast, make func(*testing.T) Door) {
	for name, play := range map[string]func(*testing.T, *stage, Door){
		"of a run that is over is told what it consumed, and of no other":   playEnded,
		"what the machine has left is a number or not known":                playHeadroom,
		"what is offered has names, and what is not offered does not start": playProfiles,
		"an explanation is of the unit that starts, and starts none":        playExplain,
		"a limit is kept or refused, and binds what runs":                   playLimit,
		"of the journal comes as much as was asked for":                     playJournal,
	} {
		t.Run(name, func(t *testing.T) {
			door := make(t)
			s := &stage{Spawner: door, Cast: cast}
			s.clear(t)
			play(t, s, door)
			s.clear(t)
		})
	}
}

func playEnded(t *testing.T, s *stage, door Door) {
	u := s.start(t, s.alice())
	if err := s.Stop(s.context(t), s.alice()); err != nil {
		t.Fatal(err)
	}
	const nobodys = "00000000000000000000000000000abc"
	runs, err := door.Ended(s.context(t), []string{u.Invocation, nobodys})
	if err != nil || len(runs) > 1 || len(runs) == 1 && (runs[0].Invocation != u.Invocation || runs[0].CPU < 0 || runs[0].At.IsZero()) {
		t.Errorf("of %s is told %+v, %v", u.Invocation, runs, err)
	}
	if runs, err := door.Ended(s.context(t), nil); err != nil || len(runs) > 0 {
		t.Errorf("of nothing is told %+v, %v", runs, err)
	}
}

func playHeadroom(t *testing.T, s *stage, door Door) {
	left, err := door.Headroom(s.context(t))
	if err != nil || left.Memory < -1 {
		t.Errorf("the machine has %+v, %v", left, err)
	}
	for _, pressure := range []float64{left.MemoryPressure, left.IOPressure, left.CPUPressure} {
		if pressure != -1 && (pressure < 0 || pressure > 100) {
			t.Errorf("a pressure of %v per cent", pressure)
		}
	}
}

func playProfiles(t *testing.T, s *stage, door Door) {
	offers, err := door.Profiles(s.context(t), s.User)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, o := range offers {
		if o.Name == "" || known[o.Name] {
			t.Errorf("offered is %+v", o)
		}
		known[o.Name] = true
	}
	const other = "no-such-profile"
	if _, err := s.Start(s.context(t), s.alice(), other, nil); err == nil || hub.KindOf(err) == hub.Unavailable {
		t.Errorf("a profile that is not offered: %v", err)
	}
	if find(s.watch(t).wholes[0], s.alice()).State.Alive() {
		t.Error("a profile that is not offered runs")
	}
}

func playExplain(t *testing.T, s *stage, door Door) {
	e, err := door.Explain(s.context(t), s.alice(), "", nil)
	if find(s.watch(t).wholes[0], s.alice()).State.Alive() {
		t.Error("what was explained runs")
	}
	if hub.KindOf(err) == hub.Invalid {
		return // there is nothing to explain here
	}
	if u := s.start(t, s.alice()); err != nil || e.Unit != u.Name || len(e.Command) == 0 {
		t.Errorf("explained is %+v, %v; started is %s", e, err, u.Name)
	}
	if _, err := door.Explain(s.context(t), hub.ServerRef{User: s.Unknown}, "", nil); causeIn(err) == nil {
		t.Errorf("the server of nobody: %v", err)
	}
}

func playLimit(t *testing.T, s *stage, door Door) {
	few := &hub.Limits{TasksMax: 64}
	if _, err := door.Limit(s.context(t), s.alice(), few, false); hub.KindOf(err) == hub.Invalid {
		return // there are no limits here
	} else if hub.KindOf(err) != hub.NotRunning {
		t.Errorf("what does not run: %v", err)
	}
	s.start(t, s.alice())
	if now, err := door.Limit(s.context(t), s.alice(), few, false); err != nil || now.TasksMax != 64 {
		t.Errorf("limited to %+v, %v", now, err)
	}
	if now, err := door.Limit(s.context(t), s.alice(), &hub.Limits{TasksMax: -1}, false); err == nil {
		t.Errorf("no number of tasks: %+v", now)
	}
	if now, err := door.Limit(s.context(t), s.alice(), nil, false); err != nil || now.TasksMax == 64 {
		t.Errorf("back to what was: %+v, %v", now, err)
	}
}

func playJournal(t *testing.T, s *stage, door Door) {
	if lines, err := door.Journal(s.context(t), s.bob(), 5); err != nil || len(lines) > 5 {
		t.Errorf("of what may never have run: %q, %v", lines, err)
	}
	s.start(t, s.alice())
	for _, n := range []int{1, 20} {
		if lines, err := door.Journal(s.context(t), s.alice(), n); err != nil || len(lines) > n {
			t.Errorf("of %d lines there came %d, %v", n, len(lines), err)
		}
	}
	if lines, err := door.Journal(s.context(t), s.alice(), -1); err == nil && len(lines) > 0 {
		t.Errorf("of -1 lines there came %q", lines)
	}
}
