package launcher

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

func socketsIn(t *testing.T) sockets {
	t.Helper()
	base := t.TempDir()
	if err := os.Chmod(base, 0o711); err != nil {
		t.Fatal(err)
	}
	return sockets{base: base, group: int64(os.Getgid())}
}

const unitOfAlice = "jupyter-alice.service"

func TestASocketDirectoryIsTheUsersAndTheProxysToEnter(t *testing.T) {
	s := socketsIn(t)
	if os.Getuid() != 0 {
		t.Skip("needs root: gives a directory to another account")
	}
	s.group = 4242
	if err := s.make(unitOfAlice, 1000); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.dir(unitOfAlice))
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	if stat.Uid != 1000 || stat.Gid != 4242 || info.Mode().Perm() != 0o710 {
		t.Errorf("owner %d, group %d, mode %v", stat.Uid, stat.Gid, info.Mode())
	}
}

// A guest's directory is root's until it is known whose it becomes, and then that one's for good.
func TestASocketDirectoryIsGivenToAGuest(t *testing.T) {
	s := socketsIn(t)
	if os.Getuid() != 0 {
		t.Skip("needs root: gives a directory to another account")
	}
	s.group = 4242
	if err := s.make(unitOfAlice, hub.NoUID); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ give, uid, gid, mode uint32 }{{0, 0, 0, 0o755}, {61200, 61200, 4242, 0o710}, {61201, 61200, 4242, 0o710}} {
		if want.give != 0 {
			if err := s.give(unitOfAlice, int64(want.give)); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(s.dir(unitOfAlice))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		if stat.Uid != want.uid || stat.Gid != want.gid || info.Mode().Perm() != os.FileMode(want.mode) {
			t.Errorf("given to %d: owner %d, group %d, mode %v", want.give, stat.Uid, stat.Gid, info.Mode())
		}
	}
	if err := s.give("jupyter-bob.service", 61200); err == nil {
		t.Error("what is not there is given away")
	}
}

func TestListeningMeansASocket(t *testing.T) {
	s := socketsIn(t)
	if err := s.make(unitOfAlice, int64(os.Getuid())); err != nil {
		t.Fatal(err)
	}
	path := socketPath(s.base, unitOfAlice)
	if err := os.Symlink("/run/systemd/private", path); err != nil || s.listening(unitOfAlice) {
		t.Errorf("a link counts as listening (%v)", err)
	}
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !s.listening(unitOfAlice) {
		t.Error("a socket does not count as listening")
	}
}

// Vulnerability: root removes files by paths that a user decides.
// Attack: mallory leaves links to bob's files, a deep tree and thousands of files in her socket directory.
// Verified: bob's files stay, her links go; a new directory is empty.
func TestWhatAUserLeftIsRemovedWithoutFollowingIt(t *testing.T) {
	s := socketsIn(t)
	bobs := t.TempDir()
	precious := filepath.Join(bobs, "thesis")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.make(unitOfAlice, int64(os.Getuid())); err != nil {
		t.Fatal(err)
	}
	dir := s.dir(unitOfAlice)
	deep := filepath.Join(dir, "a", "b", "c")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range 600 {
		if err := os.WriteFile(filepath.Join(deep, strconv.Itoa(n)), nil, 0o000); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"s", "a/link", "a/b/c/link"} {
		if err := os.Symlink(bobs, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.make(unitOfAlice, int64(os.Getuid())); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("a new directory holds %v", left)
	}
	if err := s.remove(unitOfAlice); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("bob's file: %v", err)
	}
	if err := s.remove(unitOfAlice); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
}

// Vulnerability: what is not removed takes room from everybody's sockets.
// Attack: mallory leaves a tree that is deeper than a path can be long, or than files can be open, wide at its end, with names
// that root could want to use.
// Verified: nothing is left of it.
func TestADeepTreeIsRemovedToItsEnd(t *testing.T) {
	s := socketsIn(t)
	if err := s.make(unitOfAlice, int64(os.Getuid())); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Open(s.dir(unitOfAlice), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2100 {
		for _, name := range []string{"0", strconv.Itoa(n)} {
			if err := unix.Mkdirat(at, name, 0o500); err != nil && err != unix.EEXIST {
				t.Fatal(err)
			}
		}
		if err := unix.Fchmodat(at, "0", 0o700, 0); err != nil {
			t.Fatal(err)
		}
		below, err := unix.Openat(at, "0", unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		if err != nil {
			t.Fatal(err)
		}
		at = below
	}
	unix.Close(at)
	if err := s.remove(unitOfAlice); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(s.base); err != nil || len(left) > 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

func TestRootDoesNotRemoveWithoutEnd(t *testing.T) {
	s := socketsIn(t)
	if err := s.make(unitOfAlice, int64(os.Getuid())); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.dir(unitOfAlice), "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := remover{left: 1}
	top, err := os.Open(s.dir(unitOfAlice))
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	r.top = top
	again := func(e os.DirEntry) error { return r.each(top, func(os.DirEntry) error { return nil }) }
	if err := r.each(top, again); err == nil {
		t.Error("removed more than its bounds allow")
	}
}

func TestADirectoryOfDirectoriesThatOthersCanWriteIsRefused(t *testing.T) {
	s := socketsIn(t)
	if err := os.Chmod(s.base, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.make(unitOfAlice, 1000); err == nil {
		t.Error("made a directory where everybody can put a link")
	}
	s.base = filepath.Join(s.base, "absent")
	if err := s.make(unitOfAlice, 1000); err == nil {
		t.Error("made a directory nowhere")
	}
}
