package strict

import (
	"sync"
	"sync/atomic"
	"time"
)

// alarm wakes a server when the first of its connections has waited for too long. It is one timer for all of them, and sleeps
// while none is due: an hour of kept connections that nobody uses costs a few looks.
type alarm struct {
	rings atomic.Int64 // Unix nanoseconds; 0: nothing is set
	mu    sync.Mutex   // guards timer, and what follows from rings
	timer *time.Timer
}

// set sees to it that the alarm rings at a moment, or before.
func (a *alarm) set(due int64, ring func()) {
	if at := a.rings.Load(); at != 0 && at <= due {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.rings.Load(); at != 0 && at <= due {
		return
	}
	a.rings.Store(due)
	left := time.Until(time.Unix(0, due))
	if a.timer == nil {
		a.timer = time.AfterFunc(left, ring)
		return
	}
	a.timer.Reset(left)
}

// off comes before whoever heard the alarm looks round: what is set from then on is set anew.
func (a *alarm) off() { a.rings.Store(0) }

// exactness is how exact the times of connections are.
func (s *Server) exactness() time.Duration {
	exact := min(time.Second, s.HeadTime/4, s.IdleTime/4)
	if s.ParkTime > 0 {
		exact = min(exact, s.ParkTime/4)
	}
	return max(10*time.Millisecond, exact)
}

// within gives the connection a time for what it does now.
func (c *conn) within(limit time.Duration) { c.dueAt(time.Now().Add(limit)) }

func (c *conn) dueAt(t time.Time) {
	due := t.UnixNano()
	c.due.Store(due)
	c.server.alarm.set(due, c.server.sweep)
}

// sweep parks, wakes or reads again the connections that have waited for long enough, and sets the alarm for the one that is next.
func (s *Server) sweep() {
	s.alarm.off()
	now := time.Now()
	late, next := s.waiting(now.UnixNano())
	for _, c := range late {
		if due := c.due.Load(); !c.resume(now) && !c.rest(now) && due != 0 && due < now.UnixNano() {
			c.wake()
		}
	}
	if next != 0 {
		s.alarm.set(max(next, now.Add(s.exactness()).UnixNano()), s.sweep)
	}
}

// waiting returns the connections that are late, and when the next one is; 0: none will be.
func (s *Server) waiting(now int64) (late []*conn, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		switch due := c.due.Load(); {
		case due == 0:
		case due < now:
			late = append(late, c)
		case next == 0 || due < next:
			next = due
		}
	}
	return late, next
}
