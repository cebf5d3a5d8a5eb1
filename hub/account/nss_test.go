package account

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

func TestLookupAsksTheRealNameService(t *testing.T) {
	a, err := NSS{}.Lookup(t.Context(), "root")
	if err != nil || a.Name != "root" || a.UID != 0 || a.Home != "/root" || len(a.Groups) == 0 || a.Groups[0] != "root" {
		t.Errorf("got %+v, %v", a, err)
	}
	again, err := NSS{}.ByUID(t.Context(), 0)
	if err != nil || !reflect.DeepEqual(a, again) {
		t.Errorf("ByUID(0) = %+v, %v", again, err)
	}
	if uid, err := (NSS{}).UID(t.Context(), "daemon"); err != nil || uid != 1 {
		t.Errorf("UID of daemon: %d, %v", uid, err)
	}
	if gid, err := (NSS{}).GroupID(t.Context(), "daemon"); err != nil || gid != 1 {
		t.Errorf("gid of daemon: %d, %v", gid, err)
	}
	if _, err := (NSS{}).GroupID(t.Context(), "no-such-group"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("an unknown group gives %v", err)
	}
	if _, err := (NSS{}).Lookup(t.Context(), "no-such-account"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("an unknown name gives %v", err)
	}
	for _, uid := range []int64{-1, 1<<32 - 1, 1 << 40, 4294967000} {
		if _, err := (NSS{}).ByUID(t.Context(), uid); hub.KindOf(err) != hub.NotFound {
			t.Errorf("uid %d gives %v", uid, err)
		}
	}
}

// directory writes a getent that answers from a small directory server's point of view: it ignores case, and the uid of
// alice has a second name.
func directory(t *testing.T, body string) NSS {
	t.Helper()
	path := filepath.Join(t.TempDir(), "getent")
	script := "#!/bin/sh\n[ \"$1\" = -- ] || exit 1\nshift\n" + body
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return NSS{Getent: path, Timeout: 20 * time.Second}
}

const castDirectory = `case "$1 $2" in
"passwd alice"|"passwd ALICE"|"passwd 1000") echo alice:x:1000:1000:Alice:/home/alice:/bin/bash;;
"passwd ali") echo ali:x:1000:1000:Alice:/home/alice:/bin/bash;;
"passwd names-only") echo names-only:x:1500:1500::/:/bin/sh;;
"passwd swapped") echo swapped:x:1600:1600::/:/bin/sh;;
"passwd 1600") echo bob:x:1001:1001::/:/bin/sh;;
"initgroups alice") echo "alice                 27 2000 999";;
"initgroups "*) echo "$2";;
"group "*) shift; for g; do case $g in 1000) echo alice:x:1000:;; 27) echo sudo:x:27:alice,bob;; 2000) echo "a staff:x:2000:alice";; *) s=2;; esac; done; exit ${s:-0};;
*) exit 2;;
esac`

func TestEveryNameOfOneUIDIsOneAccount(t *testing.T) {
	n := directory(t, castDirectory)
	for _, typed := range []string{"alice", "ALICE", "ali"} {
		a, err := n.Lookup(t.Context(), typed)
		if err != nil || a.Name != "alice" || a.UID != 1000 {
			t.Errorf("Lookup(%q) = %+v, %v", typed, a, err)
		}
		if want := []string{"alice", "sudo", "a staff"}; !reflect.DeepEqual(a.Groups, want) {
			t.Errorf("groups %q, want %q", a.Groups, want)
		}
	}
}

func TestAPersonIsAnAccountWithoutItsGroups(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	n := directory(t, `echo "$1" >>`+asked+"\n"+castDirectory)
	a, err := n.Person(t.Context(), "ALICE")
	if err != nil || a.Name != "alice" || a.UID != 1000 || a.Home != "/home/alice" || a.Groups != nil {
		t.Errorf("got %+v, %v", a, err)
	}
	if b, err := os.ReadFile(asked); err != nil || string(b) != "passwd\npasswd\n" {
		t.Errorf("asked %q, %v", b, err)
	}
	if a, err := n.Person(t.Context(), "swapped"); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("an answer for somebody else: %+v, %v", a, err)
	}
	if _, err := n.Person(t.Context(), "0"); hub.KindOf(err) != hub.Invalid {
		t.Errorf("a number: %v", err)
	}
}

func TestLookupOfASourceThatKnowsNoUIDs(t *testing.T) {
	a, err := directory(t, castDirectory).Lookup(t.Context(), "names-only")
	if err != nil || a.Name != "names-only" || a.UID != 1500 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestAnAnswerForSomebodyElseIsNoAnswer(t *testing.T) {
	n := directory(t, castDirectory)
	if a, err := n.Lookup(t.Context(), "swapped"); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := n.ByUID(t.Context(), 1600); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestABrokenNameServiceIsUnavailable(t *testing.T) {
	for what, body := range map[string]string{
		"garbage":      `echo hello`,
		"half a line":  `printf alice:x:1000:1000::/home/ali`,
		"two accounts": `printf 'a:x:1:1::/:/\nb:x:2:2::/:/\n'`,
		"crash":        `kill -9 $$`,
		"endless":      `exec yes`,
		"endless line": `exec tr '\0' a </dev/zero`,
	} {
		if _, err := directory(t, body).Lookup(t.Context(), "alice"); hub.KindOf(err) != hub.Unavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := (NSS{Getent: "/nonexistent/getent"}).Lookup(t.Context(), "alice"); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("no getent: %v", err)
	}
}

func TestASlowNameServiceIsGivenUp(t *testing.T) {
	n := directory(t, `exec sleep 600`)
	n.Timeout = 50 * time.Millisecond
	started := time.Now()
	_, err := n.Lookup(t.Context(), "alice")
	if hub.KindOf(err) != hub.Unavailable || time.Since(started) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(started), err)
	}
}

func TestManyGroupsAreAskedForInParts(t *testing.T) {
	var gids strings.Builder
	for gid := 3000; gid < 3300; gid++ {
		fmt.Fprintf(&gids, " %d", gid)
	}
	n := directory(t, `case "$1" in
passwd) echo alice:x:1000:1000::/:/bin/sh;;
initgroups) echo "alice`+gids.String()+`";;
group) shift; [ $# -le 128 ] || exit 1; for g; do echo g$g:x:$g:; done;;
esac`)
	a, err := n.Lookup(t.Context(), "alice")
	if err != nil || len(a.Groups) != 301 || a.Groups[300] != "g3299" {
		t.Errorf("%d groups, %v", len(a.Groups), err)
	}
}
