package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// The page of a server asks how long it may run on. It is told that alone, and only to whom may enter the server.
func TestThePageOfAServerLearnsWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.put("alice", "", hub.Running)
	b := w.alice()
	if body := strings.TrimSpace(b.get("/hub/time-left/alice").want(http.StatusOK).body); body != "{}" {
		t.Errorf("a server without a limit says %s", body)
	}
	ref := hub.ServerRef{User: "alice"}
	live := w.workshop.servers[ref]
	live.Unit.Until = today.Add(10 * time.Minute)
	w.workshop.servers[ref] = live
	if body := strings.TrimSpace(b.get("/hub/time-left/alice").want(http.StatusOK).body); body != `{"left_seconds":600}` {
		t.Errorf("a server with ten minutes left says %s", body)
	}
	b.get("/hub/time-left/bob").want(http.StatusNotFound)
	if p := w.browser().get("/hub/time-left/alice"); strings.Contains(p.body, "left_seconds") {
		t.Errorf("somebody is told %s", p.body)
	}
}
