package system

import (
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// Vulnerability: a user owns the directory of her server's socket, which stands in /run, where a machine without room stands
// still; and what she leaves there takes room from the sockets of all others.
// Attack: mallory's part is alice's. Her server writes as much as it can, and then makes files and directories, each in the
// last, until there are no more to be had.
// Verified: she fills a small file system of the sockets alone; bob's server goes on; when hers has stopped nothing is left,
// and others start again.
func TestASocketDirectoryFillsNothingElse(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice", "bob")
	s.start(alice)
	s.start(bob)

	directory := filepath.Dir(s.unit(alice).Socket)
	s.cannot(alice, "dd if=/dev/zero of="+directory+"/fill bs=1M count=64 status=none")
	s.can(alice, "rm "+directory+"/fill")
	out := s.can(alice, python()+` - <<'END'
import os
os.chdir("`+directory+`")
try:
    while True:
        for name in range(1, 50): open(str(name), "w").close()
        os.mkdir("0"); os.chdir("0")
except OSError as e: print(e.strerror)
END`)
	if !strings.Contains(out, "No space left on device") {
		t.Errorf("alice's server ends with %q", out)
	}
	s.run("sh", "-c", "echo there is room >/run/room && rm /run/room")
	s.can(bob, "true")
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
	if left := s.run("sh", "-c", "ls -d "+directory+" 2>/dev/null || true"); left != "" {
		t.Errorf("left is %s", left)
	}
	s.start(alice)
}
