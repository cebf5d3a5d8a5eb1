package proxy

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"
)

// tunnels are all that are open. net/http knows nothing of a connection any more once it is a tunnel (D9).
type tunnels struct {
	mu     sync.Mutex // guards the fields below
	open   map[*tunnel]struct{}
	closed bool
	gone   sync.WaitGroup
	loops  []*loop
	next   int // the loop that gets the next tunnel
	thrift *thrift
	memory *budget       // for what is stuck
	moved  chan struct{} // one has begun or ended
}

// mostLoops is how many goroutines carry tunnels at most: one a processor, and few are enough.
const mostLoops = 4

// begin makes a tunnel of two connections, which it closes when that fails. What each has sent is in early and first; head is
// the upstream's answer to the handshake. may is asked once the tunnel is among the others: whoever forbids tunnels after that
// finds it here.
func (ts *tunnels) begin(t *tunnel, client, server net.Conn, early, head, first []byte, may func() bool) error {
	if err := t.take(client, server); err != nil {
		client.Close()
		server.Close()
		return err
	}
	t.mu.Lock() // nobody closes it before it has begun
	defer t.mu.Unlock()
	if !ts.add(t) {
		t.shut()
		return net.ErrClosed
	}
	err := net.ErrClosed
	if may() {
		err = t.begin(early, head, first)
	}
	if err != nil {
		t.end()
	}
	return err
}

// take makes the tunnel's two ends of two connections.
func (t *tunnel) take(client, server net.Conn) (err error) {
	if t.server, err = newEnd(t, server); err != nil {
		return err
	}
	t.client, err = newEnd(t, client)
	return err
}

// add lets a tunnel be found, unless all are being closed.
func (ts *tunnels) add(t *tunnel) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return false
	}
	if ts.open == nil {
		ts.open = map[*tunnel]struct{}{}
		ts.loops = make([]*loop, min(runtime.GOMAXPROCS(0), mostLoops))
		for i := range ts.loops {
			ts.loops[i] = &loop{}
		}
	}
	t.all, t.loop = ts, ts.loops[ts.next%len(ts.loops)]
	ts.next++
	ts.open[t] = struct{}{}
	t.load.open(1)
	ts.move()
	ts.gone.Add(1)
	return true
}

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.open, t)
	ts.thrift.note()
	t.load.open(-1)
	ts.move()
	ts.gone.Done()
}

// move tells whoever has to know.
func (ts *tunnels) move() {
	select {
	case ts.moved <- struct{}{}:
	default: // he looks anyway
	}
}

func (ts *tunnels) count() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.open)
}

// list returns those that are chosen.
func (ts *tunnels) list(chosen func(*tunnel) bool) (them []*tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for t := range ts.open {
		if chosen(t) {
			them = append(them, t)
		}
	}
	return them
}

// close closes those that are chosen and returns how many that were.
func (ts *tunnels) close(code uint16, chosen func(*tunnel) bool) int {
	them := ts.list(chosen)
	for _, t := range them {
		t.close(code)
	}
	return len(them)
}

// hush closes those whose clients have been silent for longer than silence: their machines are asleep or gone, or nobody
// answers pings there.
func (ts *tunnels) hush(since time.Time) {
	for _, t := range ts.list(func(*tunnel) bool { return true }) {
		if t.silent(since) {
			t.close(goingAway)
		}
	}
}

// drop ends those that lead to an upstream, at once.
func (ts *tunnels) drop(u *upstream) {
	for _, t := range ts.list(func(t *tunnel) bool { return t.up == u }) {
		t.drop()
	}
}

// shut closes all, allows no other, and waits for their ends as long as ctx lasts.
func (ts *tunnels) shut(ctx context.Context) {
	ts.mu.Lock()
	ts.closed = true
	ts.mu.Unlock()
	ts.close(serviceRestart, func(*tunnel) bool { return true })
	ended := make(chan struct{})
	go func() {
		ts.gone.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
