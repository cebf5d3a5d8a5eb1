package system

import (
	"errors"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/systemdspawner"
	"jupyterhubd/test/testbed"
)

// rootside is root's side as the hub sees it.
func (s *stage) rootside() *systemdspawner.Client {
	return systemdspawner.New(s.Path("/run/jupyterhub/spawnd.sock"))
}

// unifiedStage returns a machine that has control groups of version 2, where units can be frozen: the shared one if it is such.
func unifiedStage(t *testing.T) *stage {
	t.Helper()
	if shared := testbed.Shared(t); shared.Unified() {
		return settle(t, shared)
	}
	return ownUnifiedStage(t)
}

// ownUnifiedStage boots such a machine for one play.
func ownUnifiedStage(t *testing.T) *stage {
	t.Helper()
	testbed.Needed(t)
	bed, err := testbed.Boot(t.Context(), testbed.Options{Unified: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.End(); err != nil {
			t.Error(err)
		}
	})
	bed.Watch(t)
	return settle(t, bed)
}

// polite makes a server do something before it ends.
const polite = `import signal
signal.signal(signal.SIGTERM, lambda *_: (open(os.path.expanduser("~/goodbye"), "w").close(), os._exit(0)))
`

// A server is laid to sleep and woken, by the hub and by an admin, and stopped in its sleep. What it was doing goes on.
func TestAServerSleepsAndGoesOn(t *testing.T) {
	s := unifiedStage(t)
	s.probed("", "alice")
	// One that says goodbye, as JupyterLab does; otherwise the kernel ends it in its sleep.
	s.put("/usr/local/bin/probe-singleuser", strings.Replace(probe, "server.serve_forever()", polite+"server.serve_forever()", 1), 0o755)
	s.start(alice)
	unit := hub.UnitName(alice)
	pid := s.mainPID(unit)
	s.can(alice, "echo kept >/tmp/kept")

	for range 2 { // the second time it sleeps already
		if u, err := s.rootside().Freeze(s.ctx, alice); err != nil || !u.Frozen || !u.Listening {
			t.Fatalf("laid to sleep: %+v, %v", u, err)
		}
	}
	if state := s.property(unit, "FreezerState"); state != "frozen" {
		t.Errorf("systemd says %s", state)
	}
	for range 2 {
		if u, err := s.rootside().Thaw(s.ctx, alice); err != nil || u.Frozen {
			t.Fatalf("woken: %+v, %v", u, err)
		}
	}
	if out := s.can(alice, "cat /tmp/kept"); out != "kept" || s.mainPID(unit) != pid {
		t.Errorf("after its sleep it says %q and is process %s, not %s", out, s.mainPID(unit), pid)
	}

	s.run("systemctl", "freeze", unit)
	s.eventually("the admin's freeze is seen", func() bool { return s.unit(alice).Frozen })
	s.run("systemctl", "thaw", unit)
	s.eventually("the admin's thaw is seen", func() bool { return !s.unit(alice).Frozen })

	if _, err := s.rootside().Freeze(s.ctx, alice); err != nil {
		t.Fatal(err)
	}
	s.killed("jupyterhub-spawnd.service") // who laid it to sleep forgets nothing
	if !s.unit(alice).Frozen {
		t.Error("after a restart of root's side the server is taken for awake")
	}
	if err := s.rootside().Stop(s.ctx, alice); err != nil {
		t.Fatal(err)
	}
	s.run("test", "-e", "/home/alice/goodbye")

	// An admin stops it in its sleep, beside us; or its time is over, or the machine goes down: it ends as one that is awake.
	s.run("rm", "/home/alice/goodbye")
	s.start(alice)
	if _, err := s.rootside().Freeze(s.ctx, alice); err != nil {
		t.Fatal(err)
	}
	s.run("systemctl", "stop", unit)
	s.run("test", "-e", "/home/alice/goodbye")
	s.becomes(alice, hub.Stopped)
	for what, verb := range map[string]func() error{
		"freeze": func() error { _, err := s.rootside().Freeze(s.ctx, alice); return err },
		"thaw":   func() error { _, err := s.rootside().Thaw(s.ctx, alice); return err },
	} {
		if err := verb(); hub.KindOf(err) != hub.NotRunning {
			t.Errorf("%s what does not run: %v", what, err)
		}
	}
}

// Where control groups are of version 1 nothing sleeps, and the machine says so.
func TestAMachineThatCannotFreezeSaysSo(t *testing.T) {
	s := onStage(t)
	if s.run("stat", "--file-system", "--format=%T", "/sys/fs/cgroup") == "cgroup2fs" {
		t.Skip("this machine can")
	}
	s.mocked("alice")
	s.start(alice)
	var refusal *hub.Error
	if _, err := s.rootside().Freeze(s.ctx, alice); !errors.As(err, &refusal) || refusal.Cause == nil || refusal.Cause.Kind != hub.CauseCannotFreeze {
		t.Errorf("laid to sleep: %v", err)
	}
	findings, err := s.rootside().Check(s.ctx)
	if err != nil || !strings.Contains(strings.Join(findings, "\n"), "idle servers cannot sleep here") {
		t.Errorf("found %q, %v", findings, err)
	}
	if !s.HasControllers() {
		return // without them nothing is counted
	}
	usage, err := s.rootside().Usage(s.ctx)
	if err != nil || len(usage) != 1 || usage[0].Used == nil || usage[0].Used.Limits.MemoryMax != 2<<30 || usage[0].Used.MemoryPeak < usage[0].Memory {
		t.Errorf("usage %+v, %v", usage, err)
	}
}
