package httpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"jupyterhubd/hub/auth"
)

// visit is what the hall knows about one request on its way through. Outer steps make it, inner ones fill it in, the log
// and the metrics read it.
type visit struct {
	id      string        // also the answer's X-Request-Id
	label   string        // the pattern that matched; "" when none did
	who     string        // "user alice", "service culler", "" for nobody
	client  string        // the browser's address
	err     error         // what the room returned
	status  int           // 0 until the answer begins
	api     bool          // refusals are JSON
	login   bool          // strangers are sent to the login page
	row     *row          // what was found for it; nil for nothing
	values  []string      // of the row's wildcards
	actor   auth.Actor    // who came in at the door
	request *http.Request // as the door passed it on
	writer  http.ResponseWriter
}

// quiet reports whether the request is one of those that come all day and tell nothing.
func (v *visit) quiet() bool {
	return strings.HasSuffix(v.label, "/health") || strings.HasSuffix(v.label, "/activity") || strings.HasPrefix(v.label, "/hub/static/")
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b[:])
}

// Header, Write, WriteHeader and Unwrap make a visit the request's ResponseWriter, which notes what was answered.
func (v *visit) Header() http.Header { return v.writer.Header() }

func (v *visit) WriteHeader(status int) {
	if v.status == 0 && status >= http.StatusOK {
		v.status = status
	}
	v.writer.WriteHeader(status)
}

func (v *visit) Write(b []byte) (int, error) {
	if v.status == 0 {
		v.status = http.StatusOK
	}
	return v.writer.Write(b)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (v *visit) Unwrap() http.ResponseWriter { return v.writer }
