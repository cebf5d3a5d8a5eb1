package spawner

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// serve answers at a new Unix socket until the test ends.
func serve(t *testing.T, h http.HandlerFunc) hub.Unit {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return hub.Unit{Name: "jupyter-alice.service", UID: int64(os.Getuid()), Socket: path}
}

func TestProbeWaitsForAnAnswerBelow500(t *testing.T) {
	var asked atomic.Int32
	unit := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/user/alice/api" || r.Method != http.MethodGet {
			t.Errorf("asked for %s %s", r.Method, r.URL.Path)
		}
		w.Header().Set("X-JupyterHub-Version", "6.1.1")
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			panic(http.ErrAbortHandler) // a connection that breaks
		default:
			http.Redirect(w, r, "/elsewhere", http.StatusFound) // not followed
		}
	})
	version, err := probeHTTP(t.Context(), unit, "/user/alice/")
	if err != nil || version != "6.1.1" || asked.Load() != 3 {
		t.Errorf("%q, %v after %d questions", version, err, asked.Load())
	}
}

// Vulnerability: the user owns the directory of the server's socket. Attack: mallory puts a link to somebody else's socket
// there. Verified: the listener is asked nothing, and the start ends at once.
func TestProbeDoesNotSpeakToAStranger(t *testing.T) {
	unit := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the stranger was spoken to") })
	link := filepath.Join(t.TempDir(), "s")
	if err := os.Symlink(unit.Socket, link); err != nil {
		t.Fatal(err)
	}
	unit.Socket, unit.UID = link, unit.UID+1
	_, err := probeHTTP(t.Context(), unit, "/user/mallory/")
	if cause := causeIn(err); cause == nil || cause.Message == "" {
		t.Errorf("answered %v", err)
	}
}

func TestProbeWaitsForSomebodyToListen(t *testing.T) {
	unit := hub.Unit{Socket: filepath.Join(t.TempDir(), "s")}
	ctx, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer done()
	if _, err := probeHTTP(ctx, unit, "/"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("answered %v", err)
	}
}
