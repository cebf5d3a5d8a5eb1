package proxy

import (
	"slices"
	"sync"
	"time"
)

// turns let only a few requests of one owner be at work at the same time. Whoever waits for a processor waits behind all that were
// ready before: a storm of hundreds must not be ready at once. A request that is at it for longer than a moment waits for its server or
// for a network, most likely, and its place is the next one's: long polls, streams and uploads keep nobody out.
type turns struct {
	mu      sync.Mutex // guards the fields below
	places  [atWork]job
	last    uint64
	waiting []chan turn // the first come first
	timer   *time.Timer // nil while nobody has waited
	comes   bool        // it is set, for when the oldest place becomes free or before
}

// So many are at work at once, each for so long at most. A page of some hundred requests, to a server that takes a tenth of a second for
// each, is through within 60 ms.
const (
	atWork   = 8
	workTime = 5 * time.Millisecond
)

// job is who is at work at a place.
type job struct {
	number uint64 // 0: nobody
	since  time.Time
}

func (j job) over(now time.Time) bool { return j.number == 0 || now.Sub(j.since) >= workTime }

// turn is a place that was given to a request. The zero turn is none.
type turn struct {
	of     *turns
	place  int
	number uint64
	waited bool // others were at work
}

// take waits for a turn, which has to be ended. It is none when there is no need any more first.
func (ts *turns) take(needless <-chan struct{}) turn {
	ts.mu.Lock()
	now := time.Now()
	if n := ts.free(now); n >= 0 && len(ts.waiting) == 0 {
		defer ts.mu.Unlock()
		return ts.give(n, now)
	}
	mine := make(chan turn, 1)
	ts.waiting = append(ts.waiting, mine)
	ts.call(now)
	ts.mu.Unlock()
	select {
	case t := <-mine:
		return t
	case <-needless:
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	select {
	case t := <-mine: // just now
		return t
	default:
		ts.waiting = slices.DeleteFunc(ts.waiting, func(other chan turn) bool { return other == mine })
		return turn{}
	}
}

// end gives the place to the next one, if it has not gone to him already.
func (t turn) end() {
	if t.of == nil {
		return
	}
	ts := t.of
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.places[t.place].number != t.number {
		return
	}
	ts.places[t.place].number = 0
	if len(ts.waiting) > 0 {
		ts.call(time.Now())
	}
}

// free returns the index of a free place, or -1. The caller holds mu.
func (ts *turns) free(now time.Time) int {
	return slices.IndexFunc(ts.places[:], func(j job) bool { return j.over(now) })
}

func (ts *turns) give(n int, now time.Time) turn {
	ts.last++
	ts.places[n] = job{ts.last, now}
	return turn{of: ts, place: n, number: ts.last}
}

// call gives free places to those who wait, and comes back for the others when the next place is free. The caller holds mu.
func (ts *turns) call(now time.Time) {
	for len(ts.waiting) > 0 {
		n := ts.free(now)
		if n < 0 {
			break
		}
		next := ts.give(n, now)
		next.waited = true
		ts.waiting[0] <- next
		ts.waiting[0] = nil
		ts.waiting = ts.waiting[1:]
	}
	if len(ts.waiting) == 0 {
		ts.waiting = nil
		return
	}
	if ts.comes {
		return
	}
	ts.comes = true
	oldest := slices.MinFunc(ts.places[:], func(a, b job) int { return a.since.Compare(b.since) })
	if left := oldest.since.Add(workTime).Sub(now); ts.timer == nil {
		ts.timer = time.AfterFunc(left, ts.ring)
	} else {
		ts.timer.Reset(left)
	}
}

func (ts *turns) ring() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.comes = false
	ts.call(time.Now())
}
