package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a tunnel's end.
const (
	handshakeWrite = 30 * time.Second // for the upstream to take the request
	lastWords      = 5 * time.Second  // for the upstream to finish after the client has
	goodbye        = 1 * time.Second  // for the client to take what is left, and to close
)

// Status codes with which the proxy closes WebSockets (RFC 6455 7.4.1).
const (
	goingAway      = 1001 // the route is gone: the server was stopped
	policy         = 1008 // the session has ended
	serviceRestart = 1012 // the proxy restarts
)

// tunnel is one open WebSocket.
type tunnel struct {
	up       *upstream
	sessions []sessionID
	client   net.Conn
	server   net.Conn
	early    []byte // what the client sent with its handshake
	head     []byte // the answer to it
	first    []byte // what the upstream sent with the answer
	active   func()
	control  bool // control frames are activity, too

	code atomic.Uint32 // with which it is closed from outside; 0 while it is not
	once sync.Once
}

// run carries both directions until both have ended. The end of one is passed on, and the other gets a little time: a
// WebSocket whose one side is gone has nothing more to say.
func (t *tunnel) run() {
	var both sync.WaitGroup
	both.Go(t.upward)
	t.downward()
	both.Wait()
	t.drop()
}

func (t *tunnel) drop() {
	t.client.Close()
	t.server.Close()
}

// upward carries what the client says. An upstream that listens no more may still have a last word.
func (t *tunnel) upward() {
	var f frames
	lost, _ := pump(t.server, t.client, t.early, 4<<10, func(b []byte) {
		if f.pass(b) || t.control {
			t.active()
		}
	})
	if lost != nil {
		t.drop()
		return
	}
	finish(t.server, lastWords)
}

// downward carries what the server says, and is the only one that writes to the client.
func (t *tunnel) downward() {
	var f frames
	if _, err := t.client.Write(t.head); err != nil {
		t.drop()
		return
	}
	lost, stuck := pump(t.client, t.server, t.first, 16<<10, func(b []byte) { f.pass(b) })
	if code := t.code.Load(); code != 0 && stuck == nil && f.between() {
		t.client.SetWriteDeadline(time.Now().Add(goodbye))
		_, stuck = t.client.Write(closeFrame(uint16(code)))
		lost = nil
	}
	if lost != nil || stuck != nil {
		t.drop()
		return
	}
	finish(t.client, goodbye)
}

// finish says to one side that no more comes, and lets what it still says take no longer than a moment.
func finish(c net.Conn, moment time.Duration) {
	if half, ok := c.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		c.Close()
	}
	c.SetReadDeadline(time.Now().Add(moment))
}

// pump copies until from ends, which is no error, or one of the two breaks: lost is from's error, stuck is to's. A time-out
// of from is an end: somebody outside set it.
func pump(to io.Writer, from io.Reader, first []byte, size int, seen func([]byte)) (lost, stuck error) {
	buf := first
	for {
		if len(buf) > 0 {
			seen(buf)
			if _, err := to.Write(buf); err != nil {
				return nil, err
			}
		}
		if lost != nil {
			break
		}
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		n := 0
		n, lost = from.Read(buf[:size])
		buf = buf[:n]
	}
	var timeout net.Error
	if lost == io.EOF || errors.As(lost, &timeout) && timeout.Timeout() {
		lost = nil
	}
	return lost, nil
}

// close ends the tunnel from outside: with a closing frame where one fits, and in any case soon.
func (t *tunnel) close(code uint32) {
	t.once.Do(func() {
		t.code.Store(code)
		soon := time.Now().Add(goodbye)
		t.client.SetWriteDeadline(soon)
		t.client.SetReadDeadline(soon)
		t.server.SetReadDeadline(time.Unix(1, 0)) // wakes downward
		time.AfterFunc(2*goodbye, t.drop)
	})
}

// tunnels are all that are open. net/http knows nothing of a connection any more once it is a tunnel (D9).
type tunnels struct {
	mu     sync.Mutex // guards the fields below
	open   map[*tunnel]struct{}
	closed bool
	gone   sync.WaitGroup
}

// carry runs t as one of them. ok is asked once it is among them: whoever forbids tunnels after that finds it here.
func (ts *tunnels) carry(t *tunnel, ok func() bool) {
	if !ts.add(t) {
		t.drop()
		return
	}
	defer ts.remove(t)
	if !ok() {
		t.drop()
		return
	}
	t.run()
}

func (ts *tunnels) add(t *tunnel) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return false
	}
	if ts.open == nil {
		ts.open = map[*tunnel]struct{}{}
	}
	ts.open[t] = struct{}{}
	ts.gone.Add(1)
	return true
}

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.open, t)
	ts.gone.Done()
}

func (ts *tunnels) count() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.open)
}

// close closes those that are chosen and returns how many that were.
func (ts *tunnels) close(code uint32, chosen func(*tunnel) bool) int {
	ts.mu.Lock()
	var them []*tunnel
	for t := range ts.open {
		if chosen(t) {
			them = append(them, t)
		}
	}
	ts.mu.Unlock()
	for _, t := range them {
		t.close(code)
	}
	return len(them)
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

// greet sends a WebSocket handshake upstream and reads the answer. 100 and 103 are of no use to a browser here.
func greet(c net.Conn, out *http.Request) (*http.Response, *bufio.Reader, error) {
	c.SetWriteDeadline(time.Now().Add(handshakeWrite))
	if err := out.Write(c); err != nil {
		return nil, nil, err
	}
	c.SetWriteDeadline(time.Time{})
	limited := &io.LimitedReader{R: c, N: maxAnswerHead}
	br := bufio.NewReader(limited)
	for {
		answer, err := http.ReadResponse(br, out)
		if err != nil {
			return nil, nil, err
		}
		if answer.StatusCode/100 != 1 || answer.StatusCode == http.StatusSwitchingProtocols {
			limited.N = math.MaxInt64 // a body has no limit
			return answer, br, nil
		}
	}
}
