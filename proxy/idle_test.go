package proxy

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// An hour in which nobody asks for anything writes nothing: a disk may sleep. One request is enough for something to be written.
func TestAnIdleProxyWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "routes.json")
		p, err := New(Options{StateFile: file})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait() // for what Run saves at its end
		}()
		go p.Run(ctx)
		if err := p.Add("/user/alice", routeData(t, `{"target": "http://h"}`)); err != nil {
			t.Fatal(err)
		}
		contents := func() string {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := os.ReadFile(file + journalSuffix)
			if err != nil {
				t.Fatal(err)
			}
			return string(b) + string(lines)
		}
		time.Sleep(2 * time.Minute)
		before := contents()
		time.Sleep(time.Hour)
		if contents() != before {
			t.Error("the file was written though nothing had changed")
		}
		p.touch(p.table.get("/user/alice").up)
		time.Sleep(2 * time.Minute)
		if contents() == before {
			t.Error("activity is not on disk two minutes later")
		}
		at := p.table.get("/user/alice").up.lastActivity()
		if next, err := New(Options{StateFile: file}); err != nil || !next.table.get("/user/alice").up.lastActivity().Equal(at) {
			t.Errorf("the next proxy does not know when the route was active: %v", err)
		}
	})
}
