package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed is one connection of HTTP/2 of which every frame is Mallory's to choose. What comes back is passed over.
type framed struct {
	*http2.Framer
	conn  *tls.Conn
	block []byte // fields of a request to her server
	ended chan error
	given atomic.Int64 // streams that the proxy has reset
	told  atomic.Int64 // answers that have begun
}

func (s *stage) frames(config *tls.Config, said ...http2.Setting) *framed {
	s.t.Helper()
	config = config.Clone()
	config.NextProtos, config.ServerName = []string{"h2"}, "localhost"
	c := tls.Client(s.dial(), config)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		s.t.Fatal(err)
	}
	f := &framed{Framer: http2.NewFramer(c, c), conn: c, ended: make(chan error, 1)}
	if err := f.WriteSettings(said...); err != nil {
		s.t.Fatal(err)
	}
	var b bytes.Buffer
	fields := hpack.NewEncoder(&b)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/user/mallory/"}} {
		fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	f.block = b.Bytes()
	go func() {
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				f.ended <- err
				return
			}
			switch frame.Header().Type {
			case http2.FrameRSTStream:
				f.given.Add(1)
			case http2.FrameHeaders:
				f.told.Add(1)
			}
		}
	}()
	return f
}

// hostile is a stage with TLS where Mallory's server answers nothing, and Alice's does. It returns how many requests
// hers has, and how many of hers the proxy has had at worst.
func hostile(t *testing.T, b Bounds) (s *stage, config *tls.Config, under, worst *atomic.Int64) {
	t.Helper()
	s, under, worst = newStage(t, Options{}), new(atomic.Int64), new(atomic.Int64)
	over := make(chan struct{})
	mallory := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		under.Add(1)
		defer under.Add(-1)
		now := s.p.table.get("/user/mallory").load.requests.Load() // here it is seen a little later which of them are over
		for old := worst.Load(); now > old && !worst.CompareAndSwap(old, now); old = worst.Load() {
		}
		select {
		case <-r.Context().Done(): // seen as long as there is no body
		case <-over:
		}
	})
	t.Cleanup(func() { close(over) })
	s.route("/user/mallory", mallory.URL, `"user": "mallory"`)
	s.alice(newServer(t, hello).URL)
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{Bounds: b, TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	return s, config, under, worst
}

// stop ends the reading.
func (f *framed) stop() {
	f.conn.SetReadDeadline(time.Unix(1, 0))
	<-f.ended
}

func (s *stage) servesAlice(config *tls.Config) {
	s.t.Helper()
	res, err := s.over(config, true).Get("https://localhost/user/alice/")
	if err != nil {
		s.t.Fatal(err)
	}
	if got := readReply(s.t, res); got.status != 200 {
		s.t.Errorf("alice is told %d", got.status)
	}
}

// Vulnerability: a stream that is reset frees its place at once, while what it began goes on (CVE-2023-44487).
// Attack: Mallory begins requests and takes them back, thousands of them, while the proxy is too busy to see that.
// Verified: no more of hers are under way than a connection may have, she is hung up on, Alice is served meanwhile, and nothing is left.
func TestRapidResets(t *testing.T) {
	s, config, under, _ := hostile(t, Bounds{UserRate: 1_000_000})
	load := s.p.table.get("/user/mallory").load
	load.turns.mu.Lock() // her requests get this far
	release := sync.OnceFunc(load.turns.mu.Unlock)
	defer release()
	f := s.frames(config)
	var err error
	for id := uint32(1); id < 10_000 && err == nil; id += 2 {
		err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block, EndStream: true, EndHeaders: true})
		if err == nil {
			err = f.WriteRSTStream(id, http2.ErrCodeCancel)
		}
	}
	if err := <-f.ended; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("she may go on")
	}
	eventually(t, "what she may have is under way", func() bool { return load.requests.Load() >= 128 })
	s.servesAlice(config)
	if n := load.requests.Load(); n > 128 {
		t.Errorf("%d are under way", n)
	}
	release()
	eventually(t, "nothing is left", func() bool { return under.Load() == 0 && load.requests.Load() == 0 })
}

// Vulnerability: fields that never end are memory, or work, without a limit (CVE-2023-45288).
// Attack: Mallory goes on with one request's fields for ever.
// Verified: the connection ends long before she has sent what a server would notice.
func TestEndlessFields(t *testing.T) {
	s, config, _, _ := hostile(t, Bounds{})
	f := s.frames(config)
	var b bytes.Buffer
	hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: "x-more", Value: string(bytes.Repeat([]byte("~"), 12<<10)), Sensitive: true})
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block, EndStream: true})
	const most = 16 << 20
	sent := 0
	for ; err == nil && sent < most; sent += b.Len() {
		select {
		case err = <-f.ended:
		default:
			err = f.WriteContinuation(1, false, b.Bytes())
		}
	}
	if sent >= most {
		t.Errorf("%d bytes of fields are taken", sent)
	}
	s.servesAlice(config)
}

// Vulnerability: one connection of HTTP/2 is one to whoever counts connections.
// Attack: Mallory asks over a single one, by the dozen.
// Verified: each stream is a request of hers: those over the bound are told 503 at once, while the others are under way.
func TestStreamsAreRequests(t *testing.T) {
	const most, storm = 4, 60
	s, config, _, worst := hostile(t, Bounds{UserRequests: most})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mallory := s.over(config, true)
	refused := make(chan int, storm)
	var all sync.WaitGroup
	for range storm {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, "GET", "https://localhost/user/mallory/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := mallory.Do(r)
			if err == nil {
				res.Body.Close()
				refused <- res.StatusCode
			} else if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for i := range storm - most {
		select {
		case status := <-refused:
			if status != http.StatusServiceUnavailable {
				t.Errorf("the %d. is told %d", i+1, status)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d are told", i, storm-most)
		}
	}
	s.servesAlice(config)
	cancel()
	all.Wait()
	if n := worst.Load(); n > most {
		t.Errorf("%d were under way", n)
	}
}
