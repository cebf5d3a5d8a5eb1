package proxy

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"jupyterhubd/proxy/strict"
)

// tooBusy is the answer to what a bound keeps out.
var tooBusy = problem{Status: http.StatusServiceUnavailable, Title: "Too many requests at once",
	Text:  "There are more requests than are served at once. Load this page again in a few seconds.",
	after: patience, plain: true}

// refusals space out those who were refused. Without that a program that asks again at once would take the processor with nothing but
// refusals, which are not so much cheaper than answers: its connection is not read any more until it may ask again.
type refusals struct {
	mu   sync.Mutex // guards due
	due  time.Time  // when the next one may ask again
	held atomic.Int64
}

// One a millisecond may ask again, after a pause of between patience, which is what they are told, and longestPause. mostHeld is how
// many of HTTP/2's refused requests are held, each of which takes a goroutine.
const (
	betweenAgain = time.Millisecond
	longestPause = 10 * time.Second
	mostHeld     = 128
)

// pause is for how long the one who is refused now stays unheard.
func (rs *refusals) pause(now time.Time) time.Duration {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if soonest := now.Add(patience); rs.due.Before(soonest) {
		rs.due = soonest
	}
	wait := min(rs.due.Sub(now), longestPause)
	rs.due = now.Add(wait + betweenAgain)
	return wait
}

// keepOut refuses what a bound keeps out, before anything was done for it. It is told at once, and the connection then rests.
func (p *Proxy) keepOut(w http.ResponseWriter, ps *passage, whose string, rs *refusals) {
	p.metrics.refused.WithLabelValues(whose).Inc()
	if p.isFront(ps.in) {
		p.answer(w, ps, tooBusy)
		return
	}
	resting := rs.pause(time.Now())
	if c, ok := w.(strict.Pauser); ok {
		c.Pause(resting)
		p.answer(w, ps, tooBusy)
		return
	}
	defer rs.held.Add(-1)
	if rs.held.Add(1) > mostHeld {
		w.Header()["Connection"] = []string{"close"} // net/http then says goodbye to the whole connection
		p.answer(w, ps, tooBusy)
		return
	}
	p.answer(w, ps, tooBusy)
	hold(w, ps.in, resting)
}

// hold keeps a stream of HTTP/2 open, which has been answered: its client has only so many.
func hold(w http.ResponseWriter, r *http.Request, d time.Duration) {
	if http.NewResponseController(w).Flush() != nil {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// isFront reports whether a connection carries many people's requests: it is that of a proxy in front of this one. It does not rest for
// one of them.
func (p *Proxy) isFront(r *http.Request) bool {
	at, _ := r.Context().Value(entranceKey).(entrance)
	return p.trusted.Load().has(at.remote) || at.remote.IsLoopback() && r.Header["X-Forwarded-For"] != nil
}
