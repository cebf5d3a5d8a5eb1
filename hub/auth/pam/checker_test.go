package pam

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// checking is a door that knows alice and bob, refuses mallory, and counts its connections.
func checking(t *testing.T, connections *atomic.Int32) string {
	return serve(t, func() map[string]varlink.Handler {
		connections.Add(1)
		return map[string]varlink.Handler{"Check": func(_ context.Context, r *varlink.Request) error {
			var in struct {
				Name string `json:"name"`
			}
			if err := r.Decode(&in); err != nil {
				return err
			}
			switch in.Name {
			case "mallory":
				return hub.Errorf(hub.Forbidden, "locked")
			case "alice", "bob":
				return r.Reply(map[string]any{"account": hub.Account{Name: in.Name, UID: 1000}})
			case "confused":
				return r.Reply(struct{}{})
			}
			return hub.Errorf(hub.NotFound, "there is no such account")
		}}
	})
}

// Questions that come one after the other are put to one process, also after a refusal.
func TestACheckerKeepsItsConnection(t *testing.T) {
	var connections atomic.Int32
	c := NewChecker(checking(t, &connections))
	for name, want := range map[string]hub.Kind{"alice": hub.Unknown, "mallory": hub.Forbidden, "nobody": hub.NotFound, "bob": hub.Unknown} {
		a, err := c.Check(t.Context(), name)
		if hub.KindOf(err) != want || (err == nil) != (want == hub.Unknown) || err == nil && a.Name != name {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if _, err := c.Check(t.Context(), "confused"); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("an answer without an account: %v", err)
	}
	if _, err := c.Check(t.Context(), "alice"); err != nil || connections.Load() != 2 {
		t.Errorf("after a broken answer: %v, %d connections", err, connections.Load())
	}
}

// Vulnerability: a process that waits for the next question goes by what root's configuration said when it began. Attack: somebody is
// blocked, the configuration is reloaded, and the account is asked for within the minute. Verified: another process is asked.
func TestACheckerThatIsRenewedAsksAnew(t *testing.T) {
	var connections atomic.Int32
	c := NewChecker(checking(t, &connections))
	for want := range int32(3) {
		for range 2 {
			if _, err := c.Check(t.Context(), "alice"); err != nil || connections.Load() != want+1 {
				t.Errorf("%v; %d connections after %d reloads", err, connections.Load(), want)
			}
		}
		c.Renew()
	}
}

// A crowd is spread over a few processes.
func TestACheckerUsesFewConnections(t *testing.T) {
	var connections atomic.Int32
	c := NewChecker(checking(t, &connections))
	var crowd sync.WaitGroup
	for i := range 100 {
		crowd.Go(func() {
			if _, err := c.Check(t.Context(), []string{"alice", "bob"}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	if n := connections.Load(); n > lines {
		t.Errorf("%d connections", n)
	}
}

func TestACheckersDoorThatIsAway(t *testing.T) {
	c := NewChecker(filepath.Join(t.TempDir(), "none"))
	for range 2 * lines { // a line that failed is given back
		if _, err := c.Check(t.Context(), "alice"); hub.KindOf(err) != hub.Unavailable {
			t.Fatal(fmt.Errorf("got %w", err))
		}
	}
}
