package spawner

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

const twoKernels = `[{"id":"a","name":"python3","last_activity":"2026-11-24T15:00:00.0Z","execution_state":"idle","connections":1},
	{"id":"b","name":"ir","last_activity":"2026-11-24T15:00:00.0Z","execution_state":"STATE","connections":0}]`

// What a server answers decides nothing but whether it is at work, and what is not jupyter_server's answer decides nothing.
func TestAskingForKernels(t *testing.T) {
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.String() != "/user/alice/api/kernels?no_track_activity=1" || r.Header.Get("Authorization") != "token secret" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	json := func(body string) http.HandlerFunc { return answer(200, "application/json; charset=UTF-8", body) }
	for name, c := range map[string]struct {
		server      http.HandlerFunc
		busy, wrong bool
	}{
		"no kernel":               {server: json(`[]`)},
		"kernels that wait":       {server: json(strings.Replace(twoKernels, "STATE", "idle", 1))},
		"one that was never used": {server: json(strings.Replace(twoKernels, "STATE", "starting", 1))},
		"one at work":             {server: json(strings.Replace(twoKernels, "STATE", "busy", 1)), busy: true},
		"another program":         {server: answer(404, "text/html", "<html>"), wrong: true},
		"a page for everything":   {server: answer(200, "text/html", "[]"), wrong: true},
		"a login": {server: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/hub/api/oauth2/authorize", http.StatusFound)
		}, wrong: true},
		"another list":       {server: json(`[{"execution_state":"busy"}]`), wrong: true},
		"no list":            {server: json(`null`), wrong: true},
		"an object":          {server: json(`{"execution_state":"busy"}`), wrong: true},
		"another type":       {server: json(`[{"id":"a","execution_state":{"busy":true}}]`), wrong: true},
		"a list without end": {server: json("[" + strings.Repeat(`{"id":"a","execution_state":"busy"},`, kernelBytes/10)), wrong: true},
		"too many of them":   {server: json("[" + strings.Repeat(`{"id":"a","execution_state":"busy"},`, kernelsRead) + `{"id":"a","execution_state":"busy"}]`), wrong: true},
		"a head without end": {server: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
			_, _ = io.WriteString(w, "[]")
		}, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			busy, err := askKernels(t.Context(), serve(t, c.server), "/user/alice/", "secret")
			if busy != c.busy || (err != nil) != c.wrong {
				t.Errorf("busy is %t, %v", busy, err)
			}
		})
	}
}

// Attack: a server answers a byte at a time, for ever. Verified: it is left alone when the time is over.
func TestAskingAServerThatNeverEnds(t *testing.T) {
	unit := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
		}
	})
	ctx, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer done()
	if busy, err := askKernels(ctx, unit, "/", "secret"); busy || err == nil {
		t.Errorf("busy is %t, %v", busy, err)
	}
}

// Vulnerability: the question carries a token. Attack: mallory puts a link to another user's socket where her server's is.
// Verified: the listener is not spoken to.
func TestAskingDoesNotSpeakToAStranger(t *testing.T) {
	unit := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the stranger was spoken to") })
	link := filepath.Join(t.TempDir(), "s")
	if err := os.Symlink(unit.Socket, link); err != nil {
		t.Fatal(err)
	}
	unit.Socket, unit.UID = link, unit.UID+1
	if busy, err := askKernels(t.Context(), unit, "/user/mallory/", "secret"); busy || err == nil {
		t.Errorf("busy is %t, %v", busy, err)
	}
	if _, err := askKernels(t.Context(), hub.Unit{Socket: filepath.Join(t.TempDir(), "s")}, "/", "secret"); err == nil {
		t.Error("nobody listens, and somebody answered")
	}
}

func FuzzParseKernels(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		busy, err := parseKernels(body)
		if busy && (err != nil || !strings.Contains(strings.ToLower(string(body)), "busy") && !strings.Contains(string(body), `\u`)) {
			t.Errorf("busy without a kernel that says so: %v", err)
		}
	})
}
