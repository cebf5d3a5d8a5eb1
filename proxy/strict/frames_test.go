package strict_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"jupyterhubd/proxy/strict"
)

// heap notes what a connection holds.
type heap struct{ bytes []int }

func (h *heap) Wait(bytes int) { h.bytes = append(h.bytes, bytes) }
func (h *heap) Keep(int)       {}
func (h *heap) Leave()         { h.bytes = append(h.bytes, -1) }
func (h *heap) Answer()        {}
func (h *heap) Answered()      {}

// begun is a connection whose client has said the preface, and one head if that is asked for.
func begun(t *testing.T, headTime time.Duration, room strict.Room, head bool) (*strict.Frames, net.Conn) {
	t.Helper()
	theirs, ours := net.Pipe()
	t.Cleanup(func() { theirs.Close() })
	f := strict.NewFrames(ours, headTime, func(net.Conn, func()) strict.Room { return room })
	go func() {
		framer := http2.NewFramer(theirs, nil)
		io.WriteString(theirs, http2.ClientPreface)
		framer.WriteSettings()
		if head {
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndHeaders: true, EndStream: true})
		}
	}()
	want := len(http2.ClientPreface) + 9
	if head {
		want += 10
	}
	if _, err := io.ReadFull(f, make([]byte, want)); err != nil {
		t.Fatal(err)
	}
	return f, theirs
}

// A head over HTTP/2 has its time as a whole, and so has the first one. Between heads a connection may be as quiet as it likes.
func TestHeadsOfStreamsHaveTheirTime(t *testing.T) {
	for name, c := range map[string]struct {
		head bool // one has come
		more func(*http2.Framer) error
		in   time.Duration
	}{
		"nothing but settings": {false, nil, 30 * time.Second},
		"the beginning of a head": {true, func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}})
		}, 30 * time.Second},
		"no head": {true, func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, theirs := begun(t, 30*time.Second, nil, c.head)
			if c.more != nil {
				go c.more(http2.NewFramer(theirs, nil))
			}
			began := time.Now()
			dribble := time.AfterFunc(20*time.Second, func() {
				if c.in > 0 && c.head {
					http2.NewFramer(theirs, nil).WriteContinuation(3, false, []byte{0x84})
				}
			})
			defer dribble.Stop()
			time.AfterFunc(time.Hour, func() { theirs.Close() })
			_, err := io.Copy(io.Discard, f)
			switch took := time.Since(began); {
			case c.in > 0 && (!errors.Is(err, os.ErrDeadlineExceeded) || took != c.in):
				t.Errorf("%s: %v after %s", name, err, took)
			case c.in == 0 && (err != nil || took != time.Hour):
				t.Errorf("%s: %v after %s", name, err, took)
			}
		})
	}
}

// What is kept of a head counts from its first byte to its last.
func TestHeadsOfStreamsTakeRoom(t *testing.T) {
	held := &heap{}
	f, theirs := begun(t, time.Minute, held, true)
	if want := -1; held.bytes[0] != 0 || held.bytes[len(held.bytes)-1] != want {
		t.Errorf("after the first head: %v", held.bytes)
	}
	held.bytes = nil
	go func() {
		framer := http2.NewFramer(theirs, nil)
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: make([]byte, 1000)})
		framer.WriteContinuation(3, false, make([]byte, 500))
		framer.WriteContinuation(3, true, nil)
	}()
	if _, err := io.ReadFull(f, make([]byte, 9+1000+9+500+9)); err != nil {
		t.Fatal(err)
	}
	if at := len(held.bytes) - 1; held.bytes[at] != -1 || slices.Max(held.bytes) != 1500 || !slices.IsSorted(held.bytes[:at]) {
		t.Errorf("the second one: %v", held.bytes)
	}
}

// What passes is what came, and frames begin where net/http sees them begin, however the bytes are divided.
func FuzzFramesBegin(f *testing.F) {
	for _, fill := range []func(*http2.Framer){
		func(f *http2.Framer) { f.WriteSettings(); f.WritePing(true, [8]byte{1}) },
		func(f *http2.Framer) { f.WriteData(1, false, make([]byte, 300)); f.WriteWindowUpdate(0, 7) },
		func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
			f.WriteContinuation(1, true, []byte{0x84})
		},
	} {
		var b bytes.Buffer
		fill(http2.NewFramer(&b, nil))
		f.Add(b.Bytes(), uint8(7))
	}
	f.Fuzz(func(t *testing.T, said []byte, piece uint8) {
		got := strict.FramesIn(said, int(piece)+1)
		if slices.ContainsFunc(got, func(kind byte) bool { return kind > byte(http2.FrameContinuation) && kind < 0x20 }) {
			t.Skip("types at which the framer that this is compared with breaks down; net/http's does not")
		}
		var want []int // -1: a frame that is no good, of whatever type
		framer := http2.NewFramer(nil, bytes.NewReader(said))
		framer.AllowIllegalReads, framer.AllowIllegalWrites = true, true
		for {
			frame, err := framer.ReadFrame()
			var bad http2.StreamError
			if err != nil && !errors.As(err, &bad) {
				break
			}
			if err != nil {
				want = append(want, -1)
			} else {
				want = append(want, int(frame.Header().Type))
			}
		}
		if len(got) < len(want) {
			t.Errorf("%d frames begin, net/http sees %d", len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if want[i] >= 0 && int(got[i]) != want[i] {
				t.Errorf("the %d. is of type %d, not %d", i+1, got[i], want[i])
			}
		}
	})
}

// leaver drops its connection at the moment when that leaves.
type leaver struct {
	heap
	drop func()
}

func (l *leaver) Leave() { l.drop() }

// Who is dropped while a head ends stays dropped.
func TestNoHeadUndoesADrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs, ours := net.Pipe()
		defer theirs.Close()
		f := strict.NewFrames(ours, time.Minute, func(_ net.Conn, drop func()) strict.Room { return &leaver{drop: drop} })
		head := http2.ClientPreface
		go func() {
			io.WriteString(theirs, head)
			http2.NewFramer(theirs, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndHeaders: true, EndStream: true})
		}()
		if _, err := io.ReadFull(f, make([]byte, len(head)+10)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading goes on: %v", err)
		}
	})
}
