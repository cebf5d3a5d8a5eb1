package system

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// moments are when bob's start may be cancelled, in the order in which they come. Each brings the start there, by what the hub,
// systemd or the server itself tells, and returns what lets go of what it held up; nil where it held nothing.
var moments = []struct {
	name  string
	come  func(*stage) (letGo func())
	waits bool // the cancel cannot be done before that is let go
}{
	{name: "it waits in line", come: (*stage).comeInLine},
	{name: "nobody answers who could start it", come: (*stage).comeWhileNobodyStarts, waits: true},
	{name: "it waits for its turn at systemd", come: (*stage).comeBeforeItsTurn},
	{name: "its home is being made", come: (*stage).comeWhileTheHomeIsMade},
	{name: "its home is being mounted", come: (*stage).comeWhileTheHomeIsMounted},
	{name: "systemd waits for its identity", come: (*stage).comeAtTheCredential},
	{name: "a command before it runs", come: (*stage).comeAtTheCommandBefore},
	{name: "it runs and has no socket", come: func(s *stage) func() { return s.comeWhenTheServer("runs") }},
	{name: "its socket is there and nobody listens", come: func(s *stage) func() { return s.comeWhenTheServer("bound") }},
	{name: "it is asked for its first answer", come: func(s *stage) func() { return s.comeWhenTheServer("asked") }},
	{name: "its route is being added", come: (*stage).comeAtTheRoute},
	{name: "it is ready", come: func(s *stage) func() { s.halting("nowhere"); s.start(bob); return nil }},
}

// Whenever bob cancels his start, it ends at once, nothing of it is left on the machine and in the hub, and the next one goes through.
func TestACancelledStartLeavesNothing(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/halting-singleuser", halting, 0o755)
	for _, moment := range moments {
		t.Run(moment.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			letGo := moment.come(s)
			if letGo == nil {
				letGo = func() {}
			}
			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Error(err)
			}
			if moment.waits {
				letGo()
				s.becomes(bob, hub.Stopped)
			} else {
				s.becomes(bob, hub.Stopped)
				letGo()
			}
			s.nothingLeft(bob)
			s.halting("nowhere")
			s.start(bob)
			s.wholeOrNothing()
			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Error(err)
			}
			s.becomes(bob, hub.Stopped)
			s.nothingLeft(bob)
		})
	}
}

// nothingLeft waits until nothing is left of a server that has stopped.
func (s *stage) nothingLeft(ref hub.ServerRef) {
	s.t.Helper()
	var left []string
	defer func() {
		if len(left) > 0 {
			s.t.Errorf("of the server %s is left:\n%s", ref, strings.Join(left, "\n"))
		}
	}()
	s.eventually("nothing is left of "+ref.String(), func() bool { left = s.leftOf(ref); return len(left) == 0 })
}

// leftOf lists what is left of a server on the machine, at root's side, at the proxy and in the hub. Its user has no other.
func (s *stage) leftOf(ref hub.ServerRef) []string {
	s.t.Helper()
	unit := hub.UnitName(ref)
	sum := sha256.Sum256([]byte(unit))
	left := strings.FieldsFunc(s.run("sh", "-c", `
		state() { systemctl show --value --property="$2" "$1"; }
		for unit in "$1" "jupyterhub-home-$(id --user "$3").service"; do
			[ "$(state "$unit" ActiveState)" = inactive ] || echo "$unit is $(state "$unit" ActiveState)"
		done
		[ -z "$(state "$1" Job | tr -d 0)" ] || echo "systemd has a job for it"
		for file in "/run/systemd/transient/$1" "/run/credentials/$1" "/run/jupyter/$2"; do [ ! -e "$file" ] || echo "$file"; done
		grep " /run/credentials/$1 " /proc/1/mountinfo
		pgrep --uid "$3" --list-full
		find /sys/fs/cgroup -path "*/$4/*" -name cgroup.procs -exec cat {} + | sed 's/^/in the slice: process /'
		systemctl list-units --failed --plain --no-legend 'jupyter*'
		true`, "sh", unit, hex.EncodeToString(sum[:8]), ref.User, hub.UserSlice(ref.User, "")), func(r rune) bool { return r == '\n' })
	if s.listed(ref) {
		left = append(left, "root's side tells of it")
	}
	routes, err := s.hub.Routes(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for prefix := range routes {
		if strings.HasPrefix(prefix, "/user/"+ref.User+"/") {
			left = append(left, "a route "+prefix)
		}
	}
	tokens, err := s.hub.Tokens(s.ctx, ref.User)
	if err != nil {
		s.t.Fatal(err)
	}
	if slices.ContainsFunc(tokens, func(t client.Token) bool { return strings.HasPrefix(t.Note, "Server at ") }) {
		left = append(left, "its token")
	}
	return left
}

// comeInLine lets alice's start take the only place.
func (s *stage) comeInLine() func() {
	s.halting("nowhere")
	s.put("/usr/local/bin/mute", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	s.configure("[hub]\nslow_spawn_timeout = \"1ms\"\nconcurrent_spawn_limit = 1\n[spawner.user.alice]\ncmd = [\"mute\"]\n")
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{}); err != nil {
		s.t.Fatal(err)
	}
	s.becomes(alice, hub.Starting)
	s.ask()
	if now := s.state(bob); now != hub.Queued {
		s.t.Errorf("bob's server is %s", now)
	}
	return func() {
		if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
			s.t.Fatal(err)
		}
		s.becomes(alice, hub.Stopped)
	}
}

func (s *stage) comeWhileNobodyStarts() func() {
	s.halting("nowhere")
	s.run("systemctl", "stop", "jupyterhub-spawnd.socket", "jupyterhub-spawnd.service")
	again := s.once("systemctl start jupyterhub-spawnd.socket")
	s.ask()
	s.tells("does not answer")
	return again
}

// comeBeforeItsTurn lets many others stand where systemd brings a few units up at a time: their identities do not come.
func (s *stage) comeBeforeItsTurn() func() {
	s.halting("nowhere")
	gate := s.gate()
	var others []hub.ServerRef
	var starts sync.WaitGroup
	for i := range 24 {
		ref := hub.ServerRef{User: "alice", Server: fmt.Sprint("other-", i)}
		others = append(others, ref)
		starts.Go(func() { _, _ = s.rootside().Start(s.ctx, ref, "", nil) }) // it ends when it is stopped, ignoring
	}
	s.eventually("all others are before bob", func() bool {
		return !slices.ContainsFunc(others, func(ref hub.ServerRef) bool { return !s.listed(ref) })
	})
	s.ask()
	s.eventually("root's side knows of bob's start", func() bool { return s.listed(bob) })
	if now := s.property(hub.UnitName(bob), "LoadState"); now != "not-found" {
		s.t.Logf("systemd has the unit already: it is %s", now)
	}
	return func() {
		for _, ref := range others {
			if err := s.rootside().Stop(s.ctx, ref); err != nil {
				s.t.Error(err)
			}
		}
		starts.Wait()
		gate.away()
	}
}

func (s *stage) comeAtTheCredential() func() {
	s.halting("nowhere")
	gate := s.gate()
	s.ask()
	gate.await()
	if now := s.property(hub.UnitName(bob), "ActiveState"); now != "activating" {
		s.t.Errorf("the unit is %s", now)
	}
	return gate.away
}

// comeWhenTheServer lets bob's server come to a point of its start.
func (s *stage) comeWhenTheServer(point string) func() {
	s.halts(point)
	s.ask()
	s.reached()
	if point == "bound" {
		s.tells("listens. Waiting for its first answer")
	}
	return nil
}

func (s *stage) comeAtTheCommandBefore() func() {
	s.halts("nowhere")
	s.put("/usr/local/bin/before", "#!/bin/sh\n: >/home/bob/reached\n: </home/bob/go\n", 0o755)
	s.configure("[hub]\nslow_spawn_timeout = \"1ms\"\n[spawner.user.bob]\ncmd = [\"halting-singleuser\", \"nowhere\"]\n" +
		"unit_extra_properties = { ExecStartPre = \"/usr/local/bin/before\" }\n")
	s.ask()
	s.reached()
	return nil
}

// once returns what runs a script when it is called, or else when the play has ended.
func (s *stage) once(script string) func() {
	ctx := context.WithoutCancel(s.ctx)
	run := sync.OnceFunc(func() {
		if _, err := s.Run(ctx, "sh", "-c", script); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(run)
	return run
}

// held makes pipes for a program of the machine's that says through one that it is there, and goes on when the other one says so.
func (s *stage) held() (script string, there, letGo func()) {
	s.t.Helper()
	s.run("sh", "-c", "mkdir /run/held && mkfifo /run/held/reached /run/held/go")
	s.afterwards("rm", "-r", "/run/held")
	return "#!/bin/sh\n: >/run/held/reached\n: </run/held/go\n",
		func() { s.run("timeout", "30", "cat", "/run/held/reached") },
		sync.OnceFunc(func() { s.run("timeout", "30", "sh", "-c", ": >/run/held/go") })
}

// comeWhileTheHomeIsMade gives bob a home that does not exist, and holds up who makes it.
func (s *stage) comeWhileTheHomeIsMade() func() {
	const home, helper = "/home/bobs-new", "/usr/sbin/mkhomedir_helper"
	script, there, letGo := s.held()
	s.put("/run/held/make", script+"exec /run/held/helper \"$@\"\n", 0o755)
	s.run("sh", "-c", "cp "+helper+" /run/held/helper && mount --bind /run/held/make "+helper)
	s.afterwards("umount", helper)
	s.run("usermod", "--home", home, "bob")
	s.afterwards("sh", "-c", "usermod --home /home/bob bob && rm -r "+home)
	s.configure("[hub]\nslow_spawn_timeout = \"1ms\"\n[spawner.user.bob]\ncmd = [\"halting-singleuser\", \"nowhere\"]\ncreate_home = true\n")
	s.ask()
	there()
	return func() {
		letGo()
		s.eventually("the home is made", func() bool { return s.run("sh", "-c", "ls -A "+home+" 2>/dev/null || true") != "" })
	}
}

// comeWhileTheHomeIsMounted gives bob a home on a file system whose server takes its time.
func (s *stage) comeWhileTheHomeIsMounted() func() {
	script, there, letGo := s.held()
	s.put("/usr/sbin/mount.held", script+"exit 1\n", 0o755)
	s.put("/etc/systemd/system/net-slow.mount", "[Mount]\nWhat=nowhere\nWhere=/net/slow\nType=held\n", 0o644)
	s.run("systemctl", "daemon-reload")
	s.run("usermod", "--home", "/net/slow/bob", "bob")
	restore := s.once("usermod --home /home/bob bob; systemctl stop net-slow.mount; systemctl reset-failed net-slow.mount; " +
		"rm /etc/systemd/system/net-slow.mount /usr/sbin/mount.held; systemctl daemon-reload")
	s.halting("nowhere")
	s.ask()
	there()
	return func() {
		letGo()
		s.eventually("the mount is given up", func() bool {
			now := s.property("net-slow.mount", "ActiveState")
			return now == "failed" || now == "inactive"
		})
		restore()
	}
}

func (s *stage) comeAtTheRoute() func() {
	const proxy = "jupyterhub-proxy.service"
	s.halting("nowhere")
	s.freeze(proxy)
	s.afterwards("systemctl", "kill", "--kill-whom=main", "--signal=SIGCONT", proxy)
	s.ask()
	s.tells("The server answers")
	return func() {
		if err := s.Kill(s.ctx, proxy, "SIGCONT"); err != nil {
			s.t.Fatal(err)
		}
	}
}
