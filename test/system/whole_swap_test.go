package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// What a server takes over mem_limit goes to the disk as long as swap_limit lets it. Then somebody is killed, as without any swap, and the
// user is told why.
func TestSwapIsLimited(t *testing.T) {
	s := wholeStage(t)
	if total := strings.Fields(s.run("grep", "SwapTotal", "/proc/meminfo")); total[1] == "0" {
		t.Skip("this machine has no swap; make uml boots one that has")
	}
	s.probed("mem_limit = \"96M\"", "alice")
	s.put("/usr/local/bin/hungry", strings.NewReplacer("self.send_response(200)", hungry, "class Answer", "eaten = []\nclass Answer").Replace(mock), 0o755)
	s.start(alice)
	unit := hub.UnitName(alice)
	if limit := s.group(unit, "memory.swap.max"); limit != "max" {
		t.Errorf("without swap_limit the kernel's is %s", limit)
	}
	s.can(alice, hoard(200))
	if now, swapped := s.counted(unit, "memory.current", ""), s.counted(unit, "memory.swap.current", ""); now > 96<<20 || swapped < 80<<20 {
		t.Errorf("without swap_limit it has %d MiB in memory and %d on the disk", now>>20, swapped>>20)
	}
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)

	s.configure("[spawner.user.alice]\ncmd = [\"probe-singleuser\"]\nmem_limit = \"96M\"\nswap_limit = \"32M\"\n" +
		"[spawner.user.bob]\ncmd = [\"hungry\"]\nmem_limit = \"96M\"\nswap_limit = \"32M\"\n")
	s.start(alice)
	if limit := s.group(unit, "memory.swap.max"); limit != "33554432" {
		t.Errorf("with swap_limit the kernel's is %s", limit)
	}
	s.can(alice, hoard(100))
	if out, ok := s.tries(alice, "/usr/bin/python3 -c 'import os; kept = os.urandom(1 << 20) * 200'"); ok {
		t.Errorf("300 MiB fit into 96 of memory and 32 of the disk: %s", out)
	}
	if swapped := s.counted(unit, "memory.swap.current", ""); swapped > 32<<20 || s.counted(unit, "memory.events", "oom_kill") == 0 {
		t.Errorf("it has %d MiB on the disk, and the kernel counts\n%s", swapped>>20, s.group(unit, "memory.events"))
	}

	s.start(bob)
	p := s.player("bob")
	p.logIn("/hub/home")
	p.get("/user/bob/eat") // its answer never comes
	s.becomes(bob, hub.Failed)
	if cause := s.lastEvent(bob).Cause; cause == nil || cause.Kind != hub.CauseOutOfMemory || !strings.Contains(cause.Message, "more memory than it may (96 MiB)") {
		t.Errorf("the cause is %+v", cause)
	}
}
