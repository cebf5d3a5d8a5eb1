package spawner

import (
	"context"
	"slices"
	"time"

	"jupyterhubd/hub"
)

// transitions is the life of a server. What it does not list does not happen. A failed server begins its next life as a
// stopped one does: its failure is a memory in its record.
var transitions = map[hub.State][]hub.State{
	hub.Stopped:  {hub.Queued, hub.Starting, hub.Frozen, hub.Stopping}, // asked for; found running, or asleep; found gone
	hub.Queued:   {hub.Starting, hub.Stopping},                         // its turn; cancelled
	hub.Starting: {hub.Running, hub.Stopping},
	hub.Running:  {hub.Starting, hub.Freezing, hub.Stopping}, // systemd restarts it; idle; asked for, or it ended
	hub.Freezing: {hub.Frozen, hub.Running, hub.Stopping},    // asleep; somebody came, or it cannot
	hub.Frozen:   {hub.Thawing, hub.Starting, hub.Stopping},  // somebody came; systemd restarts it; asked for, or it ended
	hub.Thawing:  {hub.Running, hub.Stopping},
	hub.Stopping: {hub.Stopped, hub.Failed},
}

// server is a server that is active. Its fields are guarded by Manager.mu.
type server struct {
	ref      hub.ServerRef
	state    hub.State
	unit     hub.Unit // as last reported; zero until its start was
	obituary hub.Unit // the end of a unit that is not (yet) the one in unit
	progress *progress
	changed  chan struct{}           // closed when state or unit changes, then replaced, except at the end
	cancel   context.CancelCauseFunc // ends the start under way
	turn     chan struct{}           // closed when the queue lets it start; nil for an adopted server
	place    int                     // in line, as it was last told; 0: not yet
	turned   time.Time               // when its turn came; zero for an adopted server
	asking   bool                    // the Spawner is asked to start it and has not answered
	routed   bool                    // its route belongs into the proxy's table
	asleep   bool                    // its route has the proxy ask for it to be woken
	wanted   bool                    // somebody came while it was being laid to sleep
	rested   time.Time               // before this it is not laid to sleep
	asked    time.Time               // what it does, the last time
	vouched  time.Time               // when its word was last taken for its being at work
	heard    time.Time               // when it last showed that by more than its word
	forget   bool                    // once stopped its record goes too
	again    bool                    // once stopped it is started again
	rescue   bool                    // its profile is for this time alone
	before   choice                  // what the user chose the last time
	kept     bool                    // that holds for this start, too
	refusal  error                   // what the user chose now cannot be had
	began    time.Time               // when the state left stopped
}

// change is the one place where a state changes. It reports whether the table allowed it; the caller holds mu.
func (m *Manager) change(s *server, to hub.State) bool {
	if !slices.Contains(transitions[s.state], to) {
		return false
	}
	m.metrics.moved(s.state, to)
	m.tally()
	m.queue.count(s.state, to)
	s.state = to
	switch to {
	case hub.Stopped, hub.Failed:
		delete(m.servers, s.ref)
		close(s.changed)
		m.admit() // a place is free
	default:
		s.tell()
	}
	if to == hub.Running {
		m.nod()
	}
	return true
}

// enter makes a server active in its first state; the caller holds mu and knows that it was not.
func (m *Manager) enter(ref hub.ServerRef, first hub.State) *server {
	s := &server{ref: ref, state: hub.Stopped, progress: newProgress(), changed: make(chan struct{}), began: m.now()}
	m.servers[ref] = s
	m.dismiss(ref)
	m.change(s, first)
	return s
}

// tell wakes whoever waits for a change.
func (s *server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}
