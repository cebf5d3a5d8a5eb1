package proxy

import (
	"io"
	"net/netip"
	"sync"
	"time"
)

// Times of a tunnel's end.
const (
	lastWords = 5 * time.Second // for the upstream to finish after the client has
	goodbye   = 1 * time.Second // for the client to close, once it has everything
)

// fairReads is how often one side of a tunnel is read before the others have their turn.
const fairReads = 8

// Status codes with which the proxy closes WebSockets (RFC 6455 7.4.1).
const (
	goingAway      = 1001 // the route is gone: the server was stopped; or the client is silent
	policy         = 1008 // the session has ended, or may not be there any more
	serviceRestart = 1012 // the proxy restarts
)

// tunnel is one open WebSocket. While nothing moves it is two descriptors that a loop watches: it has no goroutine and no
// buffer. Where TLS is spoken there is also what crypto/tls keeps.
type tunnel struct {
	up       *upstream
	load     *load      // of whoever the route belongs to; nil: it is everybody's
	share    netip.Addr // whose share of the memory for slow clients it takes; zero: nobody's
	route    string     // the key of the route that led there
	sessions []sessionID
	names    []string // of the sessions there, when it was asked for; see aliases
	active   func()
	control  bool // control frames are activity, too
	now      func() time.Time
	all      *tunnels
	loop     *loop

	mu     sync.Mutex // guards the fields below and what they lead to
	client *end
	server *end
	heard  time.Time   // when the client last sent something
	timer  *time.Timer // drops it soon; nil while both sides talk
	gone   bool
}

// begin writes what came with the handshakes, and lets the loop do the rest: early is what the client sent with its handshake,
// head the answer to it, first what the upstream sent with that. The caller holds mu.
func (t *tunnel) begin(early, head, first []byte) error {
	t.heard = t.now()
	if _, err := t.client.conn.Write(head); err != nil {
		return err
	}
	t.saw(t.client, early)
	t.saw(t.server, first)
	if _, err := t.client.conn.Write(first); err != nil {
		return err
	}
	if _, err := t.server.conn.Write(early); err != nil {
		return err
	}
	return t.watch()
}

// watch puts both ends into the loop's care. The caller holds mu.
func (t *tunnel) watch() error {
	if err := t.loop.watch(t.client); err != nil {
		return err
	}
	return t.loop.watch(t.server)
}

// pass carries what one side has said to the other, and reports whether there may be more that it was not fair to carry now. A
// plain socket that gave less than it was asked for is empty, unless it is known to have ended behind that.
func (t *tunnel) pass(from *end, buf []byte, ended bool) (more bool) {
	to := from.other()
	for range fairReads {
		if from.over || len(to.sock.stuck) > 0 {
			return false
		}
		n, err := from.conn.Read(buf)
		if n > 0 {
			t.saw(from, buf[:n])
			if _, err := to.conn.Write(buf[:n]); err != nil {
				t.cannotReach(to)
				return false
			}
		}
		switch {
		case nothingYet(err):
			return false
		case err == io.EOF:
			t.ended(from)
			return false
		case err != nil:
			t.end()
			return false
		case n < len(buf) && from.plain() && !ended:
			return false
		}
	}
	return true
}

// saw follows the frames, and tells who has to know that somebody is at work.
func (t *tunnel) saw(from *end, b []byte) {
	data := from.inward.pass(b)
	if from != t.client || len(b) == 0 {
		return
	}
	t.heard = t.now()
	if data || t.control {
		t.active()
	}
}

// ended passes on that one side says no more. The other gets a little time: a WebSocket whose one side is gone has nothing more
// to say.
func (t *tunnel) ended(from *end) {
	from.over = true
	to := from.other()
	if to.finish() != nil || to.over && len(to.sock.stuck) == 0 {
		t.end()
		return
	}
	if len(to.sock.stuck) == 0 {
		t.soon(to)
	}
}

// cannotReach is what follows when one side takes nothing more. An upstream that does not listen may still have a last word.
func (t *tunnel) cannotReach(to *end) {
	if to == t.client || t.client.over {
		t.end()
		return
	}
	t.client.over, to.sock.stuck = true, nil
	t.soon(to)
}

// soon ends the tunnel after the moment that to has, who was told that nothing follows.
func (t *tunnel) soon(to *end) {
	switch {
	case to.over:
		t.end()
	case to == t.client:
		t.within(goodbye)
	default:
		t.within(lastWords)
	}
}

func (t *tunnel) within(moment time.Duration) {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.timer = time.AfterFunc(moment, t.drop)
}

// close ends the tunnel from outside: with a closing frame where one fits, and in any case soon.
func (t *tunnel) close(code uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone || t.server.over {
		return
	}
	t.server.over = true
	if t.server.inward.between() {
		if _, err := t.client.conn.Write(closeFrame(code)); err != nil {
			t.end()
			return
		}
	}
	if t.client.finish() != nil {
		t.end()
		return
	}
	t.within(2 * goodbye)
}

// silent reports whether the client has said nothing since a moment.
func (t *tunnel) silent(since time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard.Before(since)
}

func (t *tunnel) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
}

// end closes both sides at once. The caller holds mu.
func (t *tunnel) end() {
	if t.gone {
		return
	}
	t.leave()
	t.shut()
}

func (t *tunnel) shut() {
	t.client.whole.Close()
	t.server.whole.Close()
}

// leave takes the tunnel out of everybody's care. The caller holds mu.
func (t *tunnel) leave() {
	t.gone = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.loop.forget(t.client)
	t.loop.forget(t.server)
	t.client.held.end()
	t.server.held.end()
	t.all.remove(t)
}
