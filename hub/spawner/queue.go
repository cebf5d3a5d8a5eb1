package spawner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"jupyterhubd/hub"
)

// queue is the line of servers that wait to be started: first come, first served, but nobody's second server goes before
// anybody's first. It is guarded by Manager.mu.
type queue struct {
	waiting  []*server // in the order in which they came
	starting int       // servers that had their turn and are not ready yet
	taken    int       // servers that had their turn, or were found running, and are not stopped yet
	pace     pace
	machine  machine
}

// count keeps track of how many servers take a place on the machine.
func (q *queue) count(from, to hub.State) {
	switch before, after := takesPlace(from), takesPlace(to); {
	case after && !before:
		q.taken++
	case before && !after:
		q.taken--
	}
}

func takesPlace(s hub.State) bool { return s.Active() && s != hub.Queued }

// line returns how many servers wait, those included whose wish is just being written.
func (q *queue) line(m *Manager) int { return len(m.servers) - q.taken }

// join puts a server into the line and lets it start at once if there is room; the caller holds mu.
func (m *Manager) join(s *server) {
	s.turn = make(chan struct{})
	m.queue.waiting = append(m.queue.waiting, s)
	m.admit()
	line := m.order()
	if justLooking := m.queue.machine.looking && m.queue.machine.short == ""; justLooking && len(line) == 1 {
		return // its turn comes in a moment
	}
	if i := slices.Index(line, s); i >= 0 && s.place == 0 {
		m.tellPlace(s, i)
	}
	m.tellPlaces(line) // some are behind the newcomer now
}

// leave takes a server out of the line, or off the number of those that are starting; the caller holds mu.
func (m *Manager) leave(s *server) {
	if i := slices.Index(m.queue.waiting, s); i >= 0 {
		m.queue.waiting = slices.Delete(m.queue.waiting, i, i+1)
		s.turn = nil
		m.metrics.queued.Set(float64(len(m.queue.waiting)))
		m.tellPlaces(m.order())
		return
	}
	if s.turn != nil {
		s.turn = nil
		m.queue.starting--
		m.admit()
	}
}

// admit lets servers start while there is room for them; the caller holds mu.
func (m *Manager) admit() {
	if len(m.queue.waiting) == 0 {
		return
	}
	line, moved := m.order(), false
	for len(line) > 0 && m.room() && m.fits() {
		s := line[0]
		line, moved = line[1:], true
		m.queue.waiting = slices.Delete(m.queue.waiting, slices.Index(m.queue.waiting, s), slices.Index(m.queue.waiting, s)+1)
		m.queue.starting++
		m.change(s, hub.Starting)
		s.turned = m.now()
		m.metrics.staged(stageQueue, s.turned.Sub(s.began))
		close(s.turn)
	}
	m.metrics.queued.Set(float64(len(m.queue.waiting)))
	if moved {
		m.tellPlaces(line)
	}
}

// order returns the line as it will be called up: by how many servers the same user has before, then by who came first. A
// server's rank does not change when the one before it is called up, so an order holds for as many turns as there is room.
func (m *Manager) order() []*server {
	line := slices.Clone(m.queue.waiting)
	if len(line) < 2 {
		return line
	}
	ahead := make(map[string]int, len(line)) // by user
	for _, s := range m.servers {
		if takesPlace(s.state) {
			ahead[s.ref.User]++
		}
	}
	rank := make(map[*server]int, len(line))
	for _, s := range line {
		rank[s] = ahead[s.ref.User]
		ahead[s.ref.User]++
	}
	slices.SortStableFunc(line, func(a, b *server) int { return cmp.Compare(rank[a], rank[b]) })
	return line
}

// room reports whether the admin's limits let one more start.
func (m *Manager) room() bool {
	starting, active := m.policy.ConcurrentSpawnLimit, m.policy.ActiveServerLimit
	return (starting <= 0 || m.queue.starting < starting) && (active <= 0 || m.queue.taken < active)
}

// tellPlaces tells those who wait where they stand, if that is news: the first ones always, of the others fewer the farther
// back they are, so that a long line costs little and nobody's history fills up.
func (m *Manager) tellPlaces(line []*server) {
	for i, s := range line {
		if s.place != i+1 && (i < 10 || i < 100 && i%10 == 0 || i%100 == 0) {
			m.tellPlace(s, i)
		}
	}
}

func (m *Manager) tellPlace(s *server, ahead int) {
	s.place = ahead + 1
	e := hub.Event{Progress: 1, Position: s.place, Message: fmt.Sprintf("Waiting in line, %d before you", ahead)}
	switch wait := m.wait(ahead); {
	case m.queue.machine.short != "":
		e.Message += ". " + m.queue.machine.short
	case wait > 0:
		e.Estimate = wait.Seconds()
		e.Message += ". Your turn comes in about " + spoken(wait)
	}
	s.progress.add(e)
}

// wait guesses how long it takes until a server's turn comes; 0: nobody can tell, since it depends on others' stopping
// theirs.
func (m *Manager) wait(ahead int) time.Duration {
	if active := m.policy.ActiveServerLimit; active > 0 && m.queue.taken+ahead >= active {
		return 0
	}
	if m.queue.starting == 0 {
		return 0
	}
	return m.queue.pace.of(ahead+1, m.queue.starting)
}

// pace is how long starts take lately, from the turn to being ready.
type pace struct{ mean time.Duration }

// add takes a start into account; the last few count most.
func (p *pace) add(took time.Duration) {
	if p.mean == 0 {
		p.mean = took
		return
	}
	p.mean += (took - p.mean) / 5
}

// of returns how long n starts take, so many at a time, in whole seconds; 0: not known.
func (p pace) of(n, atATime int) time.Duration {
	rounds := (n + atATime - 1) / atATime
	return (p.mean*time.Duration(rounds) + time.Second - 1).Truncate(time.Second)
}

// retry is when somebody who was refused may come again: when about a tenth of the line is gone.
func (p pace) retry(line int) time.Duration {
	return min(max(p.of(line/10, 10), 10*time.Second), 5*time.Minute)
}
