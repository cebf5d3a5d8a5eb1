package system

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// Two servers of alice's meet the limit of her slice together: what one of them has, the other one cannot have. Bob's are not bound.
func TestServersOfOneUserShareHerLimit(t *testing.T) {
	s := onStage(t)
	if !s.HasControllers() {
		t.Skip("this machine has no memory controller")
	}
	gpu := hub.ServerRef{User: "alice", Server: "gpu"}
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure("[hub]\nallow_named_servers = true\n[spawner]\ncmd = [\"probe-singleuser\"]\nmem_limit = \"400M\"\nswap_limit = \"0\"\ntasks_max = 200\n" +
		"user_mem_limit = \"400M\"\nuser_tasks_max = 120\n")
	s.start(alice)
	s.start(gpu)
	s.start(bob)
	t.Cleanup(func() {
		if _, err := s.hub.StopServer(context.WithoutCancel(s.ctx), gpu, true); err != nil {
			t.Error(err)
		}
	})
	for _, ref := range []hub.ServerRef{alice, gpu} {
		if got := s.property(hub.UnitName(ref), "Slice"); got != "jupyter-user_alice.slice" {
			t.Errorf("%s is in %s", ref, got)
		}
	}
	const wants = `/usr/bin/python3 -c 'b = b"x" * (250 << 20)'`
	s.can(gpu, wants)
	s.can(alice, hoard(250))
	s.can(bob, wants)
	// Who of the two has to go is the kernel's choice.
	_, had := s.tries(gpu, wants)
	if _, kept := s.tries(alice, "pgrep --full 'kept ='"); had && kept {
		t.Error("500 MiB fit into the 400 of a user's slice")
	}
	s.tries(alice, "pkill --full 'kept ='")

	if born := s.can(alice, crowd(80)); born != "80" {
		t.Errorf("%s processes of 80 were born", born)
	}
	if born, err := strconv.Atoi(s.can(gpu, crowd(80))); err != nil || born == 0 || born >= 40 {
		t.Errorf("beside 80 processes %d more are born in a slice of 120: %v", born, err)
	}
	if born := s.can(bob, crowd(80)); born != "80" {
		t.Errorf("%s processes of bob's were born", born)
	}
}

// crowd is a command that makes so many processes, which stay, and says how many there could be.
func crowd(most int) string {
	return fmt.Sprintf(`/usr/bin/python3 - <<'END'
import os, time
born = 0
try:
    while born < %d:
        if os.fork() == 0: os.closerange(0, 3); time.sleep(1000)
        born += 1
except OSError: pass
print(born)
END`, most)
}

// Two groups want the same processor, and get it by their weights: alice's group a quarter, bob's three.
func TestGroupsShareAProcessorByWeight(t *testing.T) {
	s := onStage(t)
	if !s.HasControllers() {
		t.Skip("this machine has no controller of processors")
	}
	for user, group := range map[string]string{"alice": "light", "bob": "heavy"} {
		s.run("groupadd", "--force", group)
		s.run("usermod", "--append", "--groups", group, user)
		s.afterwards("gpasswd", "--delete", user, group)
	}
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure("[spawner]\ncmd = [\"probe-singleuser\"]\ncpu_limit = 0\n" +
		"[spawner.group.light]\ngroup_slice = true\ngroup_cpu_weight = 50\n[spawner.group.heavy]\ngroup_slice = true\ngroup_cpu_weight = 150\n")
	spin := func(ref hub.ServerRef, many int) {
		s.start(ref)
		for range many {
			s.can(ref, "nohup taskset --cpu-list 0 sh -c 'while :; do :; done' >/dev/null 2>&1 &")
		}
	}
	spin(alice, 4) // as many as she likes: they are one group's
	spin(bob, 1)
	light, heavy := s.burned(alice), s.burned(bob)
	var a, b time.Duration
	s.eventually("four seconds of processor time are shared out", func() bool {
		a, b = s.burned(alice)-light, s.burned(bob)-heavy
		return a+b > 4*time.Second
	})
	if b < 2*a || b > 5*a {
		t.Errorf("of weights of 1 to 3 come %s and %s", a, b)
	}
}

// burned is the processor time of a server so far.
func (s *stage) burned(ref hub.ServerRef) time.Duration {
	s.t.Helper()
	units, err := s.rootside().Usage(s.ctx)
	at := slices.IndexFunc(units, func(u hub.Unit) bool { return u.ServerRef == ref && u.CPU >= 0 })
	if err != nil || at < 0 {
		s.t.Fatalf("what %s used: %+v, %v", ref, units, err)
	}
	return time.Duration(units[at].CPU)
}

// What the daemons need is kept for them, by the kernel and on the whole way down to them: users' servers that want all of the memory
// get it from each other.
func TestTheDaemonsKeepTheirMemory(t *testing.T) {
	s := wholeStage(t)
	for _, slice := range []string{"system.slice", "system-jupyterhub.slice"} {
		if least := s.counted(slice, "memory.min", ""); least != 192<<20 {
			t.Errorf("memory.min of %s is %d MiB", slice, least>>20)
		}
	}
	for _, unit := range []string{"jupyterhub.service", "jupyterhub-spawnd.service", "jupyterhub-proxy.service"} {
		if place := s.property(unit, "ControlGroup"); !strings.HasPrefix(place, "/system.slice/system-jupyterhub.slice/") {
			t.Errorf("%s is in %s", unit, place)
		}
	}
	before := s.counted("system-jupyterhub.slice", "memory.current", "")
	_, _ = s.Run(s.ctx, "sh", "-c", "echo 1G >/sys/fs/cgroup/memory.reclaim") // less is found than asked for, which the kernel calls an error
	after := s.counted("system-jupyterhub.slice", "memory.current", "")
	if before < 192<<20 && after < before*9/10 || s.counted("system-jupyterhub.slice", "memory.swap.current", "") > 0 {
		t.Errorf("of %d MiB the daemons keep %d", before>>20, after>>20)
	}
}

// Weights of disks are in the kernel where its schedulers know any, and where none does doctor says so.
func TestWeightsOfDisksReachTheKernel(t *testing.T) {
	s := onStage(t)
	s.probed("io_weight = 70", "alice")
	s.start(alice)
	group := s.property(hub.UnitName(alice), "ControlGroup")
	told := s.run("sh", "-c", "for f in $1/io.weight $1/io.bfq.weight $2/blkio.bfq.weight $2/blkio.weight; do [ ! -e $f ] || head -1 $f; done", "sh",
		"/sys/fs/cgroup"+group, "/sys/fs/cgroup/blkio"+group)
	doctor := s.run("sh", "-c", "jupyterhub doctor || true")
	switch words := strings.Fields(told); {
	case len(words) == 0 && !strings.Contains(doctor, "io_weight does nothing here"):
		t.Errorf("the kernel has no weights of disks, and nobody says so:\n%s", doctor)
	case len(words) > 0 && (!slices.Contains([]string{"70", "122", "350"}, words[len(words)-1]) || strings.Contains(doctor, "io_weight")):
		t.Errorf("the kernel says %s, and doctor\n%s", told, doctor)
	}
	usage, err := s.rootside().Usage(s.ctx)
	if told != "" && (err != nil || len(usage) != 1 || usage[0].Used == nil || usage[0].Used.Limits.IOWeight != 70) {
		t.Errorf("the kernel says %q, and usage %+v, %v", told, usage, err)
	}
}
