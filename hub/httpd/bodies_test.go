package httpd

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jupyterhubd/hub/auth"
)

func TestBodiesAreBounded(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	}
	h := newHouse(t, "/", []auth.Route{{Method: "POST", Pattern: "/hub/api/x", Public: true, Handle: read}}, nil)
	for name, length := range map[string]int64{"declared": 1001, "undeclared": -1} {
		r := httptest.NewRequest("POST", "/hub/api/x", strings.NewReader(strings.Repeat("x", 1001)))
		r.ContentLength = length
		w := httptest.NewRecorder()
		h.Browser().ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), `"status":413`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// countedBody is a body that knows how much of it was read.
type countedBody struct {
	io.Reader
	read int
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

// What is a little too long is read to its end, so that its sender reads the answer and not a broken connection; who may not
// come in is told that, and not how long a body may be. What is far too long is not read at all.
func TestLongBodiesAreReadAndThrownAway(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	}
	h := newHouse(t, "/", []auth.Route{
		{Method: "POST", Pattern: "/hub/api/open", Public: true, Handle: read},
		{Method: "POST", Pattern: "/hub/api/closed", Scopes: []string{"shutdown"}, Style: auth.API, Handle: read},
	}, nil)
	for _, c := range []struct {
		path         string
		length       int
		status, read int
	}{
		{"/hub/api/open", 1000, 200, 1000},
		{"/hub/api/open", 1001, 413, 1001},
		{"/hub/api/open", 16000, 413, 16000},
		{"/hub/api/open", 16001, 413, 0},
		{"/hub/api/closed", 16000, 403, 16000},
	} {
		body := &countedBody{Reader: strings.NewReader(strings.Repeat("x", c.length))}
		r := httptest.NewRequest("POST", c.path, body)
		r.ContentLength = int64(c.length)
		w := httptest.NewRecorder()
		h.Browser().ServeHTTP(w, r)
		if w.Code != c.status || body.read != c.read {
			t.Errorf("%s, %d bytes: %d after %d bytes, want %d after %d", c.path, c.length, w.Code, body.read, c.status, c.read)
		}
	}
}
