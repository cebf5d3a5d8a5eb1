package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Nodes of devices of which no kernel has a driver: whoever is let in by the control group is told so, and whoever is not is refused
// before. One more is a device that every kernel has, and that anybody may open for writing.
const nodes = `mknod -m 666 /dev/play-gpu0 c 240 7
mknod -m 666 /dev/play-gpu1 c 240 8
mknod -m 666 /dev/play-other c 240 9
mknod -m 666 /dev/play-log c 1 11`

const (
	admitted = "No such device or address"
	excluded = "Operation not permitted"
)

// opensDevice says how it ends that somebody's server opens a device for writing.
func (s *stage) opensDevice(ref hub.ServerRef, node string) string {
	s.t.Helper()
	out, _ := s.tries(ref, "exec 3>"+node+" && echo opened")
	return out
}

// A group's devices are open to its members' servers, a profile's to those who may choose it and do, and to nobody else. They are there
// although either sandbox keeps devices from servers, and the strict one hides them, which is what made GPUs vanish
// (jupyterhub/jupyterhub#2927); what is not named stays shut, and a terminal works.
func TestDevicesAreOpenToWhomTheyAreGiven(t *testing.T) {
	for _, sandbox := range []string{"default", "strict"} {
		t.Run(sandbox, func(t *testing.T) { devicesAreGiven(t, sandbox) })
	}
}

func devicesAreGiven(t *testing.T, sandbox string) {
	s := onStage(t)
	s.run("sh", "-ec", nodes)
	s.afterwards("sh", "-c", "rm /dev/play-*")
	if out := s.run("sh", "-c", "(exec 3>/dev/play-gpu0) 2>&1 || true"); !strings.Contains(out, admitted) {
		t.Skipf("this machine gives root itself no devices: %s", out)
	}
	s.run("groupadd", "--force", "gpu")
	s.run("usermod", "--append", "--groups", "gpu", "alice")
	s.afterwards("gpasswd", "--delete", "alice", "gpu")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure(`[spawner]
cmd = ["probe-singleuser"]
sandbox = "` + sandbox + `"
[spawner.group.gpu]
device_allow = ["/dev/play-gpu*", "/dev/play-log"]
[[spawner.profile]]
name = "other"
allowed_groups = ["gpu"]
device_allow = ["/dev/play-other"]
`)
	s.forgotten("alice") // the options of a start are those of the next one
	s.start(alice)
	s.start(bob)
	for _, play := range []struct {
		ref        hub.ServerRef
		node, says string
	}{
		{alice, "/dev/play-gpu0", admitted}, {alice, "/dev/play-gpu1", admitted}, {alice, "/dev/play-log", "opened"}, {alice, "/dev/play-other", excluded},
		{alice, "/dev/null", "opened"}, {alice, "/dev/ptmx", "opened"},
		{bob, "/dev/null", "opened"},
	} {
		if out := s.opensDevice(play.ref, play.node); !strings.Contains(out, play.says) {
			t.Errorf("%s opens %s: %s, want %s", play.ref, play.node, out, play.says)
		}
	}
	for _, node := range []string{"/dev/play-gpu0", "/dev/play-log"} {
		s.cannot(bob, "exec 3>"+node)
		if sandbox == "strict" {
			s.cannot(bob, "ls "+node)
		}
	}
	s.can(alice, "script --quiet --command 'test -t 0' /dev/null")

	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"other"}`)}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	for node, says := range map[string]string{"/dev/play-other": admitted, "/dev/play-gpu0": excluded} {
		if out := s.opensDevice(alice, node); !strings.Contains(out, says) {
			t.Errorf("with the profile alice opens %s: %s, want %s", node, out, says)
		}
	}
	if _, err := s.rootside().Start(s.ctx, hub.ServerRef{User: "mallory"}, "other", nil); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("mallory and the profile: %v", err)
	}
	if out := s.run("sh", "-c", "jupyterhub doctor || true"); strings.Contains(out, "device_allow") {
		t.Errorf("what is there is missed:\n%s", out)
	}
	s.run("rm", "/dev/play-gpu0", "/dev/play-gpu1", "/dev/play-log")
	if out := s.run("sh", "-c", "jupyterhub doctor || true"); !strings.Contains(out, "spawner.group.gpu.device_allow") || !strings.Contains(out, "/dev/play-log") {
		t.Errorf("what is not there is not missed:\n%s", out)
	}
}

// Where devices are not hidden, each is as open as its file says, as without any sandbox; what else the sandbox says stays.
func TestDevicesThatAreNotHiddenAreOpen(t *testing.T) {
	s := onStage(t)
	s.run("sh", "-ec", nodes+"\nchmod 600 /dev/play-gpu1")
	s.afterwards("sh", "-c", "rm /dev/play-*")
	if out := s.run("sh", "-c", "(exec 3>/dev/play-gpu0) 2>&1 || true"); !strings.Contains(out, admitted) {
		t.Skipf("this machine gives root itself no devices: %s", out)
	}
	s.probed("isolate_devices = false\nsandbox = \"strict\"", "alice")
	s.start(alice)
	for node, says := range map[string]string{"/dev/play-gpu0": admitted, "/dev/play-log": "opened", "/dev/play-gpu1": "Permission denied", "/dev/null": "opened"} {
		if out := s.opensDevice(alice, node); !strings.Contains(out, says) {
			t.Errorf("alice opens %s: %s, want %s", node, out, says)
		}
	}
	s.cannot(alice, "date --set=@0")
	if got := s.property(hub.UnitName(alice), "ProtectClock"); got != "yes" {
		t.Errorf("ProtectClock is %s", got)
	}
}
