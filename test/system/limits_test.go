package system

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// Alice opens two notebooks in a real JupyterLab. One takes all the memory it gets: it dies, and the other one, JupyterLab,
// and everybody else do not notice (OOMPolicy=continue).
func TestGreedyKernelDiesAlone(t *testing.T) {
	s := onStage(t)
	if !s.HasControllers() {
		t.Skip("this machine has no memory controller")
	}
	s.configure("[spawner.user.alice]\nmem_limit = \"600M\"\nswap_limit = \"0\"\n")
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	p.get("/user/alice/lab")
	pid := s.mainPID(hub.UnitName(alice))
	quiet, greedy := p.kernel(), p.kernel()
	quiet.run("kept = 'kept'")
	if out, err := greedy.try("hoard = []\nwhile True: hoard.append(bytearray(20 << 20))"); !errors.Is(err, errKernelDied) {
		t.Errorf("the greedy cell ends with %q, %v", out, err)
	}
	if out := quiet.run("print(kept)"); out != "kept\n" {
		t.Errorf("the quiet notebook says %q", out)
	}
	if lab := p.get("/user/alice/lab"); lab.status != 200 || s.mainPID(hub.UnitName(alice)) != pid {
		t.Errorf("JupyterLab answers %d, and is process %s instead of %s", lab.status, s.mainPID(hub.UnitName(alice)), pid)
	}
}

// Mallory lets processes make processes: her unit is full at TasksMax, and the machine does not notice.
func TestForkBombIsContained(t *testing.T) {
	s := onStage(t)
	s.probed("", "bob")
	s.start(bob)
	s.configure("[spawner.user.bob]\ncmd = [\"probe-singleuser\"]\n[spawner.user.mallory]\ncmd = [\"probe-singleuser\"]\ntasks_max = 64\n")
	s.start(mallory)
	unit := hub.UnitName(mallory)
	out, _ := s.tries(mallory, `/usr/bin/python3 - <<'END'
import os, time
born = 0
try:
    while True:
        if os.fork() == 0: os.closerange(0, 3); time.sleep(1000)
        born += 1
except OSError as e: print(born, e.errno)
END`)
	var born, errno int
	if _, err := fmt.Sscan(out, &born, &errno); err != nil || born > 64 || errno != 11 {
		t.Errorf("the bomb says %q", out)
	}
	if tasks, err := strconv.Atoi(s.property(unit, "TasksCurrent")); err != nil || tasks > 64 {
		t.Errorf("mallory has %d tasks, %v", tasks, err)
	}
	if out := s.can(bob, "echo well"); out != "well" {
		t.Errorf("bob says %q", out)
	}
	if status := s.answers("/hub/health"); status != 200 {
		t.Errorf("the hub says %d", status)
	}
}

// Four processes of mallory's run at once and get half a processor together, as her limit says.
func TestProcessorIsShared(t *testing.T) {
	s := onStage(t)
	s.probed("cpu_limit = 0.5", "mallory")
	s.start(mallory)
	out := s.can(mallory, `/usr/bin/python3 - <<'END'
import os, time
began, children = time.monotonic(), []
for _ in range(4):
    child = os.fork()
    if child == 0:
        while time.monotonic() < began + 3: pass
        os._exit(0)
    children.append(child)
for child in children: os.waitpid(child, 0)
spent = os.times()
print((spent.children_user + spent.children_system) / (time.monotonic() - began))
END`)
	if share, err := strconv.ParseFloat(out, 64); err != nil || share > 0.6 {
		t.Errorf("mallory gets %s processors, %v", out, err)
	}
}

// limiting is the hierarchies in which a unit's limits, and its end, are: of cgroup v1, systemd's own, that of v2.
var limiting = []string{"memory", "pids", "cpu", "cpu,cpuacct", "name=systemd", ""}

// A trap of systemd's: with PAMName=, and pam_systemd in the stack, the server is moved into a session of its own, out of
// its unit's control groups, and no limit binds any more. Whatever our units say: every process of a real server, its
// kernels among them, is where its limits are, in each hierarchy.
func TestProcessesAreWhereTheirLimitsAre(t *testing.T) {
	s := onStage(t)
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	p.get("/user/alice/lab")
	p.kernel().run("import subprocess; sleeper = subprocess.Popen(['sleep', '1000'], start_new_session=True)")
	if name := s.property(hub.UnitName(alice), "PAMName"); name != "" {
		t.Errorf("the unit has PAMName=%s", name)
	}
	processes := strings.Fields(s.run("pgrep", "--uid", "alice"))
	if len(processes) < 3 { // JupyterLab, a kernel, its child
		t.Errorf("alice has the processes %v", processes)
	}
	for _, pid := range processes {
		for group := range strings.Lines(s.run("cat", "/proc/"+pid+"/cgroup")) {
			_, rest, _ := strings.Cut(group, ":")
			controllers, path, _ := strings.Cut(strings.TrimSpace(rest), ":")
			if slices.Contains(limiting, controllers) && !strings.Contains(path, hub.UnitName(alice)) {
				t.Errorf("process %s is in %s", pid, group)
			}
		}
	}
	if sessions := s.run("loginctl", "list-sessions", "--no-legend"); strings.Contains(sessions, "alice") {
		t.Errorf("logind has a session of alice's: %s", sessions)
	}
}
