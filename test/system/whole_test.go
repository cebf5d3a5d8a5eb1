package system

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

// wholeStage returns a machine that has everything at once: control groups of version 2 with every controller.
func wholeStage(t *testing.T) *stage {
	t.Helper()
	bed := testbed.Shared(t)
	if !bed.Unified() || !bed.HasControllers() {
		t.Skip("the kernel of this machine has no unified control groups with controllers; make uml boots one that has")
	}
	return settle(t, bed)
}

// group reads a file of the control group of a unit.
func (s *stage) group(unit, file string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run("cat", path.Join("/sys/fs/cgroup", s.property(unit, "ControlGroup"), file)))
}

// counted reads a number from such a file: the whole of it, or the line with a key.
func (s *stage) counted(unit, file, key string) int64 {
	s.t.Helper()
	text := s.group(unit, file)
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key+" "); ok && key != "" {
			text = strings.TrimSpace(rest)
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatalf("%s of %s: %v", file, unit, err)
	}
	return n
}

// hoard is a command that takes so many MiB of memory and keeps them until it is ended.
func hoard(mib int) string {
	return fmt.Sprintf("nohup setsid /usr/bin/python3 -c 'import os, time; kept = os.urandom(1 << 20) * %d; open(\"/tmp/has\", \"w\"); time.sleep(9999)' >/dev/null 2>&1 & "+
		"until [ -e /tmp/has ]; do sleep 0.1; done", mib)
}

// hungry is a server that eats memory itself when it is asked for anything below /eat.
const hungry = `if "/eat" in self.path:
            while True: eaten.append(bytearray(b"x" * (5 << 20)))
        self.send_response(200)`

// The first process of bob's server, not one of its kernels, takes more than it may and is killed. Systemd has a result for that
// on this kernel, unless it is to go on with the rest; either way bob is told in a sentence.
func TestOutOfMemoryIsToldWhoeverDies(t *testing.T) {
	s := wholeStage(t)
	s.put("/usr/local/bin/hungry", strings.NewReplacer("self.send_response(200)", hungry, "class Answer", "eaten = []\nclass Answer").Replace(mock), 0o755)
	for policy, detail := range map[string]string{"continue": "Result=signal", "stop": "Result=oom-kill"} {
		s.configure("[spawner.user.bob]\ncmd = [\"hungry\"]\nmem_limit = \"96M\"\nswap_limit = \"0\"\nunit_extra_properties = { OOMPolicy = \"" + policy + "\" }\n")
		s.start(bob)
		p := s.player("bob")
		p.logIn("/hub/home")
		p.get("/user/bob/eat") // its answer never comes
		s.becomes(bob, hub.Failed)
		cause := s.lastEvent(bob).Cause
		if cause == nil || cause.Kind != hub.CauseOutOfMemory || !strings.Contains(cause.Message, "more memory than it may (96 MiB)") ||
			!strings.Contains(cause.Detail, detail) || !strings.Contains(strings.Join(cause.Journal, "\n"), "killed by the OOM killer") {
			t.Errorf("with OOMPolicy=%s the cause is %+v", policy, cause)
		}
		if at := p.get("/user/bob/lab"); !strings.Contains(at.words(), "more memory than it may (96 MiB)") {
			t.Errorf("with OOMPolicy=%s bob reads\n%s", policy, at.words())
		}
	}
}

// Over mem_high nobody is killed: the kernel takes memory back, to the disk, as long as there is room.
func TestMemoryHighTakesBackAndKillsNobody(t *testing.T) {
	s := wholeStage(t)
	s.probed("mem_high = \"64M\"\nmem_limit = \"1G\"", "alice")
	s.start(alice)
	unit := hub.UnitName(alice)
	if high := s.group(unit, "memory.high"); high != "67108864" {
		t.Errorf("memory.high is %s", high)
	}
	s.can(alice, hoard(200))
	if now := s.counted(unit, "memory.current", ""); now > 80<<20 {
		t.Errorf("it has %d MiB in memory", now>>20)
	}
	if swapped := s.counted(unit, "memory.swap.current", ""); swapped < 100<<20 {
		t.Errorf("it has %d MiB on disk", swapped>>20)
	}
	if s.counted(unit, "memory.events", "high") == 0 || s.counted(unit, "memory.events", "oom_kill") != 0 {
		t.Errorf("the kernel counts\n%s", s.group(unit, "memory.events"))
	}
	usage, err := s.rootside().Usage(s.ctx)
	if err != nil || len(usage) != 1 || usage[0].Used == nil || usage[0].Used.Swap < 100<<20 || usage[0].Used.Limits.MemoryHigh != 64<<20 {
		t.Errorf("usage %+v, %v", usage, err)
	}
}

// What alice is guaranteed stands in the files of her unit and of each slice above it, and holds: when all servers together
// have to give memory back, bob's gives, and hers does not.
func TestAGuaranteeOfMemoryHolds(t *testing.T) {
	s := wholeStage(t)
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure("[spawner]\ncmd = [\"probe-singleuser\"]\n[spawner.user.alice]\nmem_guarantee = \"160M\"\n" +
		"[spawner.user.alice.unit_extra_properties]\nMemoryLow = \"170M\"\n")
	s.start(alice)
	s.start(bob)
	for _, unit := range []string{hub.TopSlice, hub.UserSlice("alice", ""), hub.UnitName(alice)} {
		if least := s.group(unit, "memory.min"); least != "167772160" {
			t.Errorf("memory.min of %s is %s", unit, least)
		}
	}
	if low := s.group(hub.UnitName(alice), "memory.low"); low != "178257920" {
		t.Errorf("memory.low is %s", low)
	}
	if least := s.group(hub.UserSlice("bob", ""), "memory.min"); least != "0" {
		t.Errorf("bob's slice keeps %s", least)
	}
	s.can(alice, hoard(100))
	s.can(bob, hoard(100))
	before := s.counted(hub.UnitName(alice), "memory.current", "")
	// Less is found than asked for, which the kernel calls an error.
	_, _ = s.Run(s.ctx, "sh", "-c", "echo 300M >/sys/fs/cgroup/"+hub.TopSlice+"/memory.reclaim")
	after, bobs := s.counted(hub.UnitName(alice), "memory.current", ""), s.counted(hub.UnitName(bob), "memory.current", "")
	t.Logf("alice keeps %d of %d MiB, bob has %d left", after>>20, before>>20, bobs>>20)
	if after < before*9/10 || bobs > 50<<20 {
		t.Errorf("alice keeps %d of %d MiB, bob has %d left", after>>20, before>>20, bobs>>20)
	}
}

// A real JupyterLab with a kernel that holds much sleeps. Its memory is given back, and what it held is there when it is asked
// for next.
func TestASleepingServerGivesItsMemoryBack(t *testing.T) {
	s := wholeStage(t)
	s.configure("[spawner]\nsleep_after = \"30s\"\nbusy_cpu = 0.5\n")
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	s.becomes(alice, hub.Running)
	p.get(p.server() + "lab")
	k := p.kernel()
	k.run("import os, hashlib; kept = os.urandom(64 << 20); print(len(kept))")
	sum := k.run("print(hashlib.sha256(kept).hexdigest())")
	unit := hub.UnitName(alice)
	awake := s.counted(unit, "memory.current", "")
	s.becomes(alice, hub.Frozen)
	if frozen := s.counted(unit, "cgroup.events", "frozen"); frozen != 1 {
		t.Errorf("the kernel says frozen %d", frozen)
	}
	s.eventually("its memory is given back", func() bool { return s.counted(unit, "memory.current", "") < awake/8 })
	t.Logf("of %d MiB a sleeping JupyterLab keeps %.1f MiB in memory, %d MiB are on disk", awake>>20,
		float64(s.counted(unit, "memory.current", ""))/(1<<20), s.counted(unit, "memory.swap.current", "")>>20)
	if again := k.run("print(hashlib.sha256(kept).hexdigest())"); again != sum {
		t.Errorf("it held %q and holds %q", sum, again)
	}
	s.becomes(alice, hub.Running)
}

// Limits that change while the server runs are read back from the kernel, as the admin's command line sets them.
func TestLiveLimitsReachTheKernel(t *testing.T) {
	s := wholeStage(t)
	s.probed("mem_limit = \"512M\"\ncpu_limit = 2.0\nmax = { mem_limit = \"1G\" }", "alice")
	s.start(alice)
	unit := hub.UnitName(alice)
	s.run("jupyterhub", "limit", "alice", "memory=768M", "memory_high=700M", "cpu=0.5", "cpu_weight=20", "tasks=100")
	for file, want := range map[string]string{
		"memory.max": "805306368", "memory.high": "734003200", "cpu.max": "50000 100000", "cpu.weight": "20", "pids.max": "100",
	} {
		if got := s.group(unit, file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	usage, err := s.rootside().Usage(s.ctx)
	if err != nil || len(usage) != 1 || usage[0].Used == nil {
		t.Fatalf("usage %+v, %v", usage, err)
	}
	want := hub.Limits{MemoryMax: 768 << 20, MemoryHigh: 700 << 20, CPUQuota: 0.5, CPUWeight: 20, TasksMax: 100}
	got := usage[0].Used.Limits
	got.IOWeight = 0 // few kernels have a scheduler with weights
	if got != want {
		t.Errorf("usage tells of %+v, want %+v", got, want)
	}
}

// What a server reads and writes on a disk is counted and told.
func TestReadingAndWritingIsCounted(t *testing.T) {
	s := wholeStage(t)
	if s.run("findmnt", "--noheadings", "--output=FSTYPE", "--target=/home") != "ext4" {
		t.Skip("homes are on no disk of their own here")
	}
	s.probed("", "alice")
	s.start(alice)
	s.can(alice, "dd if=/dev/urandom of=$HOME/much bs=1M count=12 conv=fsync && dd if=$HOME/much of=/dev/null bs=1M iflag=direct")
	usage, err := s.rootside().Usage(s.ctx)
	if err != nil || len(usage) != 1 || usage[0].Used == nil || usage[0].Used.IORead < 12<<20 || usage[0].Used.IOWritten < 12<<20 {
		t.Errorf("usage %+v, %v", usage, err)
	}
}
