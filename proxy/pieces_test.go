package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
)

// Vulnerability: who copies large bodies is ready to go on at any moment, and everybody else waits behind all of them.
// Attack: Mallory loads large bodies down and up, as many as she likes.
// Verified: each piece of them has waited for her turn, over HTTP/1, whoever copies it, and over HTTP/2.
func TestPiecesOfBodiesTakeTurns(t *testing.T) {
	const size = 8 << 20
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n > 0 {
			return
		}
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		io.CopyN(w, endless{}, size)
	})
	s.route("/user/mallory", up.URL, `"user": "mallory"`)
	cert, config := certificate(t, t.TempDir())
	turns := &s.p.table.get("/user/mallory").load.turns
	taken := func() uint64 {
		turns.mu.Lock()
		defer turns.mu.Unlock()
		return turns.last
	}
	for _, c := range []struct {
		name   string
		secure bool
		client *http.Client
		ask    func() (*http.Request, error)
		pieces uint64
	}{
		{"down, by the kernel", false, s.over(nil, false), func() (*http.Request, error) {
			return http.NewRequest("GET", "http://localhost/user/mallory/?length", nil)
		}, size / splicePiece},
		{"down, in chunks", false, s.over(nil, false), func() (*http.Request, error) {
			return http.NewRequest("GET", "http://localhost/user/mallory/", nil)
		}, size / bodyBuffer},
		{"up", false, s.over(nil, false), func() (*http.Request, error) {
			return http.NewRequest("POST", "http://localhost/user/mallory/", bytes.NewReader(make([]byte, size)))
		}, size / bodyBuffer},
		{"down, over HTTP/2", true, s.over(config, true), func() (*http.Request, error) {
			return http.NewRequest("GET", "https://localhost/user/mallory/?length", nil)
		}, size / bodyBuffer},
		{"up, over HTTP/2", true, s.over(config, true), func() (*http.Request, error) {
			return http.NewRequest("POST", "https://localhost/user/mallory/", bytes.NewReader(make([]byte, size)))
		}, size / bodyBuffer},
	} {
		settings := Settings{Bounds: Bounds{UserRate: 1000}}
		if c.secure {
			settings.TLS.Certificates = []Certificate{cert}
		}
		if err := s.p.Apply(settings); err != nil {
			t.Fatal(err)
		}
		r, err := c.ask()
		if err != nil {
			t.Fatal(err)
		}
		before := taken()
		res, err := c.client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if n, err := io.Copy(io.Discard, res.Body); err != nil || r.Method == "GET" && n != size {
			t.Errorf("%s: %d bytes, %v", c.name, n, err)
		}
		res.Body.Close()
		if n := taken() - before; n < c.pieces {
			t.Errorf("%s: %d turns were taken, for %d pieces at least", c.name, n, c.pieces)
		}
	}
}
