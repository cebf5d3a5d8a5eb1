package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// Bob has used up his quota of the disk that homes are on, a real one of the kernel's. He is told so, and his next start succeeds when he
// has room again.
func TestAQuotaThatIsUsedUpIsTold(t *testing.T) {
	s := onStage(t)
	if out := s.run("sh", "-c", "python3 -c \"$1\" get bob 2>&1 || true", "sh", quota); strings.Contains(out, "no quota") {
		t.Skipf("homes are on a disk without quotas; make uml boots a machine that has them: %s", out)
	}
	s.put("/usr/local/bin/writes", "#!/bin/sh\nmkdir -p ~/.local/share/jupyter && echo x >~/.local/share/jupyter/$$ && exec /usr/local/bin/mock-singleuser \"$@\"\n", 0o755)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[spawner.user.bob]\ncmd = [\"writes\"]\n")
	s.run("python3", "-c", quota, "set", "bob", "1")
	s.afterwards("python3", "-c", quota, "set", "bob", "0")
	s.afterwards("rm", "-rf", "/home/bob/.local")
	p := s.player("bob")
	p.logIn("/hub/home")
	p.startServer()
	s.becomes(bob, hub.Failed)
	cause := s.lastEvent(bob).Cause
	if cause == nil || cause.Kind != hub.CauseFullHome || !strings.Contains(cause.Message, "or your quota is used up") ||
		!strings.Contains(strings.Join(cause.Journal, "\n"), "Disk quota exceeded") {
		t.Errorf("the cause is %+v", cause)
	}
	s.run("python3", "-c", quota, "set", "bob", "0")
	s.start(bob)
}

// quota reads or limits how many files and KiB somebody may have where homes are (quotactl(2)).
const quota = `import ctypes, os, pwd, sys
verb, who = sys.argv[1:3]
device = "/dev/" + next(os.path.basename(line.split()[0]) for line in reversed(open("/proc/mounts").readlines()) if line.split()[1] in ("/home", "/"))
limit = int(sys.argv[3]) if verb == "set" else 0
block = (ctypes.c_uint64 * 9)(limit, limit, 0, limit, limit, 0, 0, 0, 1 | 4)
libc = ctypes.CDLL(None, use_errno=True)
if libc.quotactl((0x800008 if verb == "set" else 0x800007) << 8, device.encode(), pwd.getpwnam(who).pw_uid, ctypes.byref(block)):
    sys.exit("no quota on " + device + ": " + os.strerror(ctypes.get_errno()))
`
