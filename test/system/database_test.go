package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

const (
	hubUnit  = "jupyterhub.service"
	stateDir = "/var/lib/jupyterhub"
)

// The hub is killed again and again while somebody makes users, gives them tokens and removes some, through its own door. Whatever
// was answered has happened and stays; afterwards all invariants hold.
func TestKillsLoseNothingAcknowledged(t *testing.T) {
	const kills, most = 4, 25
	s := onStage(t)
	w := &writer{s: s, answered: make(chan struct{}), there: map[string]string{}}
	t.Cleanup(w.tidy)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); w.write(done) }()
	for range kills {
		for range 1 + rand.IntN(most) {
			<-w.answered
		}
		s.killed(hubUnit)
	}
	close(done)
	<-ended
	w.check(t)
}

// writer changes users as fast as it can, and remembers what it was answered.
type writer struct {
	s        *stage
	answered chan struct{} // one message each

	mu    sync.Mutex        // guards there
	there map[string]string // users that are there, by name: the id of their token
}

func (w *writer) write(done <-chan struct{}) {
	for n := 0; ; n++ {
		name := fmt.Sprintf("written-%d", n)
		if id, err := w.make(name); err == nil {
			w.mu.Lock()
			w.there[name] = id
			w.mu.Unlock()
		}
		if gone := fmt.Sprintf("written-%d", n-3); n%5 == 4 && w.s.hub.DeleteUser(w.s.ctx, gone) == nil {
			w.mu.Lock()
			delete(w.there, gone)
			w.mu.Unlock()
		}
		select {
		case w.answered <- struct{}{}:
		case <-done:
			return
		}
	}
}

func (w *writer) make(name string) (token string, err error) {
	if _, err := w.s.hub.CreateUsers(w.s.ctx, client.CreateUsers{Usernames: []string{name}}); err != nil && hub.KindOf(err) != hub.Conflict {
		return "", err
	}
	t, err := w.s.hub.NewToken(w.s.ctx, name, client.TokenRequest{})
	return t.ID, err
}

// check asks for everything that was answered.
func (w *writer) check(t *testing.T) {
	w.s.eventually("the hub answers", func() bool { _, err := w.s.hub.Version(w.s.ctx); return err == nil })
	if len(w.there) == 0 {
		t.Error("nothing was ever answered")
	}
	for name, id := range w.there {
		if _, err := w.s.hub.Token(w.s.ctx, name, id); err != nil {
			t.Errorf("%s and their token were answered for: %v", name, err)
		}
	}
}

// tidy removes all that was written.
func (w *writer) tidy() {
	ctx := context.WithoutCancel(w.s.ctx)
	var names []string
	err := w.s.hub.EachUser(ctx, client.UserQuery{NameFilter: "written-"}, func(u client.User) error {
		names = append(names, u.Name)
		return nil
	})
	for _, name := range names {
		err = errors.Join(err, w.s.hub.DeleteUser(ctx, name))
	}
	if err != nil {
		w.s.t.Error(err)
	}
}

// A full disk is no end: who wants something written is told so in a sentence, everything else goes on, and when there is room again
// everything does.
func TestAFullDiskUnderTheHub(t *testing.T) {
	s := onStage(t)
	shell := func(script string) { s.run("sh", "-ec", script) }
	t.Cleanup(func() {
		s.undo("sh", "-c", "systemctl stop "+hubUnit+"; umount "+stateDir+"; systemctl start "+hubUnit)
	})
	shell("systemctl stop " + hubUnit + `; mkdir -p /run/small; mount -t tmpfs -o size=48M,mode=700 tmpfs /run/small
		cp -a ` + stateDir + `/. /run/small/; chown --reference=` + stateDir + ` /run/small; mount --bind /run/small ` + stateDir + `; umount /run/small
		systemctl start ` + hubUnit)
	before := s.mainPID(hubUnit)
	s.run("sh", "-c", "head -c 100M /dev/zero >"+stateDir+"/filler 2>/dev/null; true")

	var err error
	for n := 0; err == nil && n < 40; n++ {
		names := make([]string, 1000)
		for i := range names {
			names[i] = fmt.Sprintf("crowd-%d-%d", n, i)
		}
		_, err = s.hub.CreateUsers(s.ctx, client.CreateUsers{Usernames: names})
	}
	if hub.KindOf(err) != hub.Unavailable || !strings.Contains(hub.TextOf(err), "disk is full") {
		t.Errorf("with a full disk: %v", err)
	}
	if _, err := s.hub.User(s.ctx, "alice"); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := s.hub.Activity(s.ctx, "alice", client.Activity{LastActivity: client.At(time.Now())}); err != nil {
		t.Errorf("activity, which can wait: %v", err)
	}
	s.run("rm", stateDir+"/filler")
	if _, err := s.hub.CreateUsers(s.ctx, client.CreateUsers{Usernames: []string{"crowd-last"}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if now := s.mainPID(hubUnit); now != before {
		t.Error("the hub has ended meanwhile")
	}
}

// A database of a newer release is refused in a sentence and left as it is; with the old one in its place the hub comes up by itself.
func TestANewerDatabaseIsLeftAlone(t *testing.T) {
	const file = stateDir + "/jupyterhub.db"
	s := onStage(t)
	t.Cleanup(func() { // where the play broke off
		s.undo("sh", "-c", "[ ! -e "+file+".kept ] || { mv "+file+".kept "+file+"; systemctl restart "+hubUnit+"; }")
	})
	since := s.run("date", "+%Y-%m-%d %H:%M:%S")
	s.run("sh", "-ec", "systemctl stop "+hubUnit+"; cp -a "+file+" "+file+".kept")
	s.run("/usr/bin/python3", "-c", `
import re
with open("`+file+`", "r+b") as f:
    newer, n = re.subn(b"(schema\0{7}).", b"\\g<1>\x63", f.read(), flags=re.S)
    assert n, "no schema in the file"
    f.seek(0)
    f.write(newer)
`)
	newer := s.run("sha256sum", file)
	s.run("sh", "-c", "systemctl start "+hubUnit+" || true")
	s.eventually("the journal tells whose file it is", func() bool {
		said := s.run("journalctl", "--no-pager", "--output=cat", "--since="+since, "--unit="+hubUnit)
		return strings.Contains(said, "with schema 99, but this is jupyterhubd") && strings.Contains(said, "install the newer release again")
	})
	if now := s.run("sha256sum", file); now != newer {
		t.Error("the file was changed")
	}
	if left := s.run("sh", "-c", "ls "+stateDir+" | grep schema-99 || true"); left != "" {
		t.Errorf("a copy was made of it: %s", left)
	}
	s.run("mv", file+".kept", file)
	s.eventually("the hub is back by itself", func() bool { _, err := s.hub.Version(s.ctx); return err == nil })
	if !slices.ContainsFunc(strings.Fields(s.run("systemctl", "show", "--property=NRestarts", "--value", hubUnit)), func(n string) bool { return n != "0" }) {
		t.Error("systemd did not try again")
	}
}
