package system

import (
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// The default sandbox, proved by what people do with JupyterLab: a kernel, a terminal, pip, a language server written for
// Node, a plot. The programs are the ones of the environment that servers run in.
func TestTheSandboxLeavesJupyterWhatItNeeds(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice")
	s.start(alice)

	out := s.can(alice, python()+` - <<'END'
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(startup_timeout=60)
client.execute_interactive("import os; print(6 * 7, os.getuid())", timeout=60, output_hook=lambda m: print(m["content"].get("text", "")))
client.stop_channels(); manager.shutdown_kernel(now=True)
END`)
	if uid := s.run("id", "-u", "alice"); !strings.Contains(out, "42 "+uid) {
		t.Errorf("the kernel says %q", out)
	}
	out = s.can(alice, python()+` - <<'END'
import pty, os
pid, fd = pty.fork()
if pid == 0: os.execvp("bash", ["bash", "-c", "tty; echo in a terminal; yes | head -1"])
text = b""
try:
    while piece := os.read(fd, 1000): text += piece
except OSError: pass
print(text.decode()); raise SystemExit(os.waitpid(pid, 0)[1])
END`)
	if !strings.Contains(out, "/dev/pts/") || !strings.Contains(out, "in a terminal") {
		t.Errorf("the terminal says %q", out)
	}
	s.can(alice, `mkdir -p ~/pkg/hello && cd ~/pkg && echo 'print("installed")' >hello/__init__.py &&
		printf '[build-system]\nrequires=["setuptools"]\nbuild-backend="setuptools.build_meta"\n[project]\nname="hello"\nversion="1"\n[tool.setuptools]\npackages=["hello"]\n' >pyproject.toml &&
		/usr/bin/python3 -m pip install --user --break-system-packages --no-index --no-build-isolation ~/pkg && cd && /usr/bin/python3 -c 'import hello'`)
	s.can(alice, `node -e 'let n = 0; for (let i = 0; i < 1e7; i++) n += i % 7; require("fs").writeFileSync(process.env.HOME + "/n", String(n))'`)
	s.can(alice, `cd && echo 'x: int = "no"' >wrong.py && `+strings.TrimSuffix(python(), "python3")+`basedpyright wrong.py | grep -q 'reportAssignmentType\|is not assignable'`)
	s.can(alice, `cd && `+python()+` -c 'import matplotlib; matplotlib.use("agg"); import matplotlib.pyplot as p; p.plot([1, 2]); p.savefig("plot.png")' && test -s plot.png`)
	s.can(alice, "cd && mkdir -p shared && chmod g+s shared && echo x >/tmp/x && echo x >/var/tmp/x && echo x >/dev/shm/$$ && rm /dev/shm/$$")
}

// What a server does not reach: of /run/jupyter everything but its own directory, the hub's sockets, other people's
// processes, what is the machine's, and a way to be root.
func TestTheSandboxKeepsTheRest(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice", "bob")
	s.start(alice)
	s.start(bob)

	bobs := s.unit(bob)
	s.can(alice, "test -S "+s.unit(alice).Socket)
	s.cannot(alice, "test -e "+bobs.Socket)
	s.cannot(alice, "test -e "+strings.TrimSuffix(bobs.Socket, "/s"))
	s.cannot(alice, "touch /run/jupyter/x")
	s.cannot(alice, "ls /run/jupyterhub")
	s.cannot(alice, "ls /run/jupyterhub-proxy")
	s.cannot(alice, "ls /var/lib/jupyterhub")
	s.cannot(alice, "cat /proc/"+s.mainPID(bobs.Name)+"/environ")
	s.cannot(alice, "ls /proc/"+s.mainPID("jupyterhub.service"))
	s.cannot(alice, "sudo -n true")
	s.cannot(alice, "unshare --user true")
	s.cannot(alice, "echo 1 >/proc/sys/kernel/printk")
	s.cannot(alice, "test -w /proc/sys/kernel/ns_last_pid") // whose mode would let everybody
	s.cannot(alice, "head -c 1 /proc/kallsyms")
	s.cannot(alice, "head -c 1 /proc/kcore")
	s.cannot(alice, "echo h >/proc/sysrq-trigger")
	for _, path := range []string{"/proc/sys", "/sys"} {
		if told := s.can(alice, "findmnt -no OPTIONS -T "+path); !strings.HasPrefix(told, "ro") {
			t.Errorf("%s is mounted %s", path, told)
		}
	}
	s.can(alice, "grep -q '^CapBnd:[[:space:]]*0*$' /proc/self/status")
	s.cannot(alice, "echo 1 >/sys/fs/cgroup/memory/jupyter.slice/memory.limit_in_bytes")
	s.cannot(alice, "ls /dev/fuse /dev/kvm /dev/mem")
	s.cannot(alice, "touch /usr/x /etc/x")
	s.cannot(alice, "dmesg")
	s.cannot(alice, "kill -0 "+s.mainPID(bobs.Name))

	token := s.can(bob, "printf %s $JUPYTERHUB_API_TOKEN")
	if len(token) < 20 {
		t.Fatalf("bob's token is %q", token)
	}
	for _, look := range []string{
		"systemctl show " + bobs.Name, "cat /run/systemd/transient/" + bobs.Name, "ls -R /run/credentials", "cat /proc/*/environ",
		"busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/jupyter_2dbob_2eservice org.freedesktop.systemd1.Service Environment",
	} {
		if out, _ := s.tries(alice, look); strings.Contains(out, token) {
			t.Errorf("alice finds bob's token by %s", look)
		}
	}
}

func positive(n *int64) bool { return n != nil && *n > 0 }

// A server's own limits bind, and are said to it.
func TestLimitsBindAndAreSaid(t *testing.T) {
	s := onStage(t)
	s.probed("mem_limit = \"256M\"\nswap_limit = \"0\"\ncpu_limit = 0.5\ntasks_max = 60", "alice")
	s.start(alice)
	if out := s.can(alice, "echo $MEM_LIMIT $CPU_LIMIT"); out != "268435456 0.5" {
		t.Errorf("the server is told %q", out)
	}
	if out, ok := s.tries(alice, `/usr/bin/python3 -c 'b = bytearray(400 << 20)'`); ok {
		t.Errorf("a process of 400 MiB lives in a unit of 256: %s", out)
	}
	if born, err := strconv.Atoi(s.can(alice, crowd(100))); err != nil || born >= 60 {
		t.Errorf("%d processes live in a unit of sixty: %v", born, err)
	}
	// OOMPolicy=continue: the greedy process died, the server and its address go on.
	if u := s.unit(alice); u.State != hub.UnitActive || !u.Listening {
		t.Errorf("the server is %+v", u)
	}
	usage, err := s.hub.Usage(s.ctx)
	if used := usage["alice/"]; err != nil || !positive(used.Memory) || !positive(used.CPU) || !positive(used.Tasks) {
		t.Errorf("usage %+v, %v", used, err)
	}
}
