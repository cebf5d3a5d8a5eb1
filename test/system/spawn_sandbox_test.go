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
// processes, what is the machine's, and a way to be root. What counts is the deed, in the default sandbox and in the strict one.
func TestTheSandboxKeepsTheRest(t *testing.T) {
	s := onStage(t)
	for _, sandbox := range []string{"default", "strict"} {
		s.probed("sandbox = \""+sandbox+"\"", "alice", "bob")
		s.start(alice)
		s.start(bob)
		s.keepsPeopleApart(t)
		s.keepsTheMachine(t)
		if sandbox == "strict" {
			s.locksTwice(t)
		}
		for _, who := range []hub.ServerRef{alice, bob} {
			if _, err := s.hub.StopServer(s.ctx, who, false); err != nil {
				t.Fatal(err)
			}
			s.becomes(who, hub.Stopped)
		}
	}
}

func (s *stage) keepsPeopleApart(t *testing.T) {
	t.Helper()
	bobs := s.unit(bob)
	s.can(alice, "test -S "+s.unit(alice).Socket)
	s.cannot(alice, "test -e "+bobs.Socket)
	s.cannot(alice, "test -e "+strings.TrimSuffix(bobs.Socket, "/s"))
	s.cannot(alice, "touch /run/jupyter/x")
	s.cannot(alice, "ls /run/jupyterhub")
	s.cannot(alice, "touch /run/jupyterhub/x")
	s.cannot(alice, "ls /run/jupyterhub-proxy")
	s.cannot(alice, "ls /run/user")
	s.cannot(alice, "busctl --system list")
	s.cannot(alice, "ls /var/lib/jupyterhub")
	s.cannot(alice, "cat /proc/"+s.mainPID(bobs.Name)+"/environ")
	s.cannot(alice, "ls /proc/"+s.mainPID("jupyterhub.service"))
	s.cannot(alice, "kill -0 "+s.mainPID(bobs.Name))
	s.can(bob, "echo bob >/tmp/whose && echo bob >/var/tmp/whose")
	s.cannot(alice, "cat /tmp/whose")
	s.cannot(alice, "cat /var/tmp/whose")

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

// keepsTheMachine tries what a sandbox may leave to the kernel, which asks for capabilities.
func (s *stage) keepsTheMachine(t *testing.T) {
	t.Helper()
	s.can(alice, "grep -q '^CapBnd:[[:space:]]*0*$' /proc/self/status")
	s.can(alice, "grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status")
	s.cannot(alice, "sudo -n true")
	s.cannot(alice, "unshare --user true")
	s.cannot(alice, "touch /usr/x")
	s.cannot(alice, "touch /etc/x")
	s.cannot(alice, "echo 1 >/sys/fs/cgroup/memory/jupyter.slice/memory.limit_in_bytes")
	s.cannot(alice, "echo h >/proc/sysrq-trigger")
	s.cannot(alice, "head -c 1 /proc/kcore")
	s.cannot(alice, "dmesg")
	s.cannot(alice, "head -c 1 /dev/kmsg")
	s.cannot(alice, ": <>/dev/fuse") // whose mode would let everybody
	s.cannot(alice, "mknod /tmp/null c 1 3")
	s.cannot(alice, "chrt --fifo 1 true")
	s.cannot(alice, "hostname mallory")
	s.cannot(alice, "date --set '@'$(date +%s)")
	if told := s.can(alice, "/usr/bin/python3 - <<'END'\n"+writesToTheKernel+"END"); told != "" {
		t.Errorf("alice writes to %s", told)
	}
	for _, call := range privilegedCalls {
		told := s.can(alice, "/usr/bin/python3 -c 'import ctypes, errno; c = ctypes.CDLL(None, use_errno=True); "+
			"print(c."+call+", ctypes.get_errno() in (errno.EPERM, errno.EACCES, errno.ENOSYS))'")
		if told != "-1 True" {
			t.Errorf("alice calls %s: %s", call, told)
		}
	}
}

// privilegedCalls are calls that the default sandbox lets through, since the kernel wants capabilities for them: by C's library, which
// has each on every machine.
var privilegedCalls = []string{
	`sethostname(b"mallory", 7)`, `setdomainname(b"mallory", 7)`, `acct(b"/tmp/acct")`, `swapon(b"/tmp/swap", 0)`, `swapoff(b"/tmp/swap")`,
	`reboot(0)`, `vhangup()`, `settimeofday(ctypes.create_string_buffer(16), None)`, `clock_settime(0, ctypes.create_string_buffer(16))`,
	`init_module(b"", 0, b"")`, `delete_module(b"loop", 0)`,
}

// writesToTheKernel writes what stands in each setting of the kernel into that same setting, and prints those that took it.
const writesToTheKernel = `import os
for top in "/proc/sys", "/sys":
    for at, _, files in os.walk(top):
        for name in files:
            path = os.path.join(at, name)
            try:
                file = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                continue
            try:
                os.write(file, open(path, "rb").read() or b"\n")
                print(path)
            except OSError:
                pass
            os.close(file)
`

// locksTwice looks at what the strict sandbox has beside that.
func (s *stage) locksTwice(t *testing.T) {
	t.Helper()
	s.cannot(alice, "test -w /proc/sys/kernel/ns_last_pid") // whose mode would let everybody
	s.cannot(alice, "head -c 1 /proc/kallsyms")
	s.cannot(alice, "ls /dev/fuse /dev/kvm /dev/mem")
	for _, path := range []string{"/proc/sys", "/sys"} {
		if told := s.can(alice, "findmnt -no OPTIONS -T "+path); !strings.HasPrefix(told, "ro") {
			t.Errorf("%s is mounted %s", path, told)
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
