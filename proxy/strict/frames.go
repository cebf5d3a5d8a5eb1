package strict

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Frames is a connection of HTTP/2 on its way to a server that is net/http's. That keeps every limit but two: a head may come for as long as
// its client likes, and so may frames that say nothing. Of what passes Frames reads where frames begin, and it changes nothing.
type Frames struct {
	net.Conn // decrypted
	headTime time.Duration
	dropped  atomic.Bool

	mu      sync.Mutex // guards the fields below: it is read and written at the same time
	room    Room       // nil: nobody counts
	in, out cutter
	heads   bool // a head is under way, or none has come yet
	ends    bool // it ends with the frame under way
	kept    int  // bytes of it
	timed   bool // it has to be here by some time
	credit  float64
	since   time.Time // when credit was that
	failure error
	writing time.Time // since when a write goes on; zero: none does
}

// errFlood is what reading ends with when the client says too much that is nothing.
var errFlood = errors.New("the client sends too many frames that say nothing")

// So many frames that say nothing may come at once and in each second, and so many more for each that carries something, either way: a client
// acknowledges what it reads, and takes back what it asked for. nginx weighs bytes so, HAProxy and Envoy count frames.
const (
	emptyAtOnce  = 1000
	emptyASecond = 100
	emptyForFull = 4
	mostCredit   = 10_000
)

// NewFrames looks at the frames that pass c. A head has headTime from its beginning, the first one from now on. room, which may be nil,
// makes what the connection holds of the memory for slow clients.
func NewFrames(c net.Conn, headTime time.Duration, room func(c net.Conn, drop func()) Room) *Frames {
	f := &Frames{Conn: c, headTime: headTime, heads: true, credit: emptyAtOnce, since: time.Now()}
	f.in = cutter{left: prefaceSize, begins: f.came, passes: f.more}
	f.out = cutter{begins: f.went, passes: func(int, bool) {}}
	if room != nil {
		f.room = room(c, f.drop)
	}
	f.await()
	return f
}

// drop fails the read under way and all others, after which net/http closes the connection.
func (f *Frames) drop() {
	f.dropped.Store(true)
	f.Conn.SetReadDeadline(time.Unix(1, 0))
}

// readUntil limits reading, but for a connection that is dropped meanwhile.
func (f *Frames) readUntil(t time.Time) {
	if f.Conn.SetReadDeadline(t); f.dropped.Load() {
		f.drop()
	}
}

// Read reads what the client sent.
func (f *Frames) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in.cut(p[:n])
	if f.failure != nil {
		return 0, f.failure
	}
	f.await()
	return n, err
}

// Write sends what the server says.
func (f *Frames) Write(p []byte) (int, error) {
	f.mu.Lock()
	f.out.cut(p)
	f.writing = time.Now()
	f.mu.Unlock()
	n, err := f.Conn.Write(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing = time.Time{}
	return n, err
}

// Relieve comes after a stream of the connection was given up. That takes a word to the client: where nothing is taken at all, the
// connection ends with it.
func (f *Frames) Relieve() {
	time.AfterFunc(stuckTime, func() {
		f.mu.Lock()
		stuck := !f.writing.IsZero() && time.Since(f.writing) > stuckTime/2
		f.mu.Unlock()
		if stuck {
			f.drop()
		}
	})
}

// stuckTime is for a client to take a word.
const stuckTime = time.Second

// Close closes the connection.
func (f *Frames) Close() error {
	f.mu.Lock()
	f.heads = false
	if f.room != nil {
		f.room.Leave()
		f.room = nil
	}
	f.mu.Unlock()
	return f.Conn.Close()
}

// NetConn returns the connection below.
func (f *Frames) NetConn() net.Conn { return f.Conn }

// SetReadDeadline does nothing: for how long may be read is said here.
func (f *Frames) SetReadDeadline(time.Time) error { return nil }

// SetDeadline limits writing.
func (f *Frames) SetDeadline(t time.Time) error { return f.Conn.SetWriteDeadline(t) }

// await sees to it that a head does not take too long, nor too much. The caller holds mu.
func (f *Frames) await() {
	switch {
	case f.heads:
		if f.room != nil {
			f.room.Wait(f.kept)
		}
		if !f.timed {
			f.timed = true
			f.readUntil(time.Now().Add(f.headTime))
		}
	case f.timed:
		if f.timed = false; f.room != nil {
			f.room.Leave()
		}
		f.readUntil(time.Time{})
	}
}

// Types and flags of frames (RFC 9113 6).
const (
	dataFrame         = 0
	headersFrame      = 1
	continuationFrame = 9

	endStream  = 1
	endHeaders = 4
	padded     = 8
)

// came takes in a frame of the client's.
func (f *Frames) came(kind, flags byte, length int) {
	f.ends = false
	switch kind {
	case headersFrame:
		f.heads, f.kept, f.ends = true, 0, flags&endHeaders != 0
		f.carried()
		return
	case continuationFrame:
		f.ends = flags&endHeaders != 0
	case dataFrame:
		if flags&endStream != 0 || length > maxPadding || length > 0 && flags&padded == 0 {
			f.carried()
			return
		}
	}
	now := time.Now()
	f.credit = max(f.credit, min(emptyAtOnce, f.credit+emptyASecond*now.Sub(f.since).Seconds())) - 1
	if f.since = now; f.credit < 0 {
		f.failure = errFlood
	}
}

// maxPadding is how much of a frame may be nothing. Whoever lets us send data by the byte does it to keep us busy.
const maxPadding = 256

// went takes in a frame of the server's.
func (f *Frames) went(kind, _ byte, length int) {
	if kind == headersFrame || kind == dataFrame && length > maxPadding {
		f.carried()
	}
}

// carried counts a frame that says something.
func (f *Frames) carried() { f.credit = min(mostCredit, f.credit+emptyForFull) }

// more takes in what follows a frame's beginning.
func (f *Frames) more(bytes int, ended bool) {
	f.kept += bytes
	if ended && f.ends {
		f.heads, f.ends, f.kept = false, false, 0
	}
}

// prefaceSize is len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), which net/http compares.
const prefaceSize = 24

// cutter finds where frames begin.
type cutter struct {
	begins func(kind, flags byte, length int)
	passes func(bytes int, ended bool)

	left  int // bytes that are no beginning of a frame
	first [9]byte
	have  int // bytes of first
}

func (c *cutter) cut(b []byte) {
	for len(b) > 0 {
		if c.left > 0 {
			n := min(c.left, len(b))
			c.left -= n
			c.passes(n, c.left == 0)
			b = b[n:]
			continue
		}
		n := copy(c.first[c.have:], b)
		c.have += n
		if b = b[n:]; c.have < len(c.first) {
			return
		}
		c.have, c.left = 0, int(c.first[0])<<16|int(c.first[1])<<8|int(c.first[2])
		c.begins(c.first[3], c.first[4], c.left)
		if c.left == 0 {
			c.passes(0, true)
		}
	}
}
