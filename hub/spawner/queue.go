package spawner

import (
	"slices"

	"jupyterhubd/hub"
)

// queue is the line of servers that wait to be started, first come, first served. It is guarded by Manager.mu.
type queue struct {
	waiting  []*server
	starting int // servers that had their turn and are not ready yet
}

// join puts a server at the end of the line and lets it start at once if there is room; the caller holds mu.
func (m *Manager) join(s *server) {
	s.turn = make(chan struct{})
	m.queue.waiting = append(m.queue.waiting, s)
	m.admit()
	if ahead := slices.Index(m.queue.waiting, s); ahead >= 0 {
		s.progress.step(1, "Waiting in line, %d before you", ahead)
	}
}

// leave takes a server out of the line, or off the number of those that are starting; the caller holds mu.
func (m *Manager) leave(s *server) {
	if i := slices.Index(m.queue.waiting, s); i >= 0 {
		m.queue.waiting = slices.Delete(m.queue.waiting, i, i+1)
		s.turn = nil
		return
	}
	if s.turn != nil {
		s.turn = nil
		m.queue.starting--
		m.admit()
	}
}

// admit lets servers start while there is room for them.
func (m *Manager) admit() {
	moved := false
	for len(m.queue.waiting) > 0 && m.room() {
		s := m.queue.waiting[0]
		m.queue.waiting = slices.Delete(m.queue.waiting, 0, 1)
		m.queue.starting++
		m.change(s, hub.Starting)
		close(s.turn)
		moved = true
	}
	m.metrics.queued.Set(float64(len(m.queue.waiting)))
	if moved {
		m.tellPlaces()
	}
}

func (m *Manager) room() bool {
	limit := m.policy.ConcurrentSpawnLimit
	return limit <= 0 || m.queue.starting < limit
}

// tellPlaces tells those who wait where they stand: the first ones always, of the others every tenth, so that a long line
// costs little and nobody's history fills up.
func (m *Manager) tellPlaces() {
	for i, s := range m.queue.waiting {
		if i < 10 || i%10 == 0 {
			s.progress.step(1, "Waiting in line, %d before you", i)
		}
	}
}
