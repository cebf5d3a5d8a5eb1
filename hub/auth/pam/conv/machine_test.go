package conv

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests talk to the machine's real PAM modules and real shadow entries. As root they run once more in a mount namespace
// of their own, where /etc is an overlay: accounts come and go there, and the machine's files stay as they are.
const inside = "CONV_TEST_ETC"

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "conv-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	_ = os.RemoveAll(dir) // empty: what was mounted there went with the namespace
	if err != nil {
		os.Exit(1)
	}
}

// machine is the test's own /etc and a directory of PAM services.
type machine struct {
	t   *testing.T
	dir string // service files
}

// newMachine lays a fresh overlay over /etc. The tests of this package therefore do not run in parallel.
func newMachine(t *testing.T) *machine {
	t.Helper()
	scratch := os.Getenv(inside)
	if scratch == "" {
		t.Skip("needs root: real shadow entries are made in a mount namespace")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Mount("tmpfs", scratch, "tmpfs", 0, ""))
	t.Cleanup(func() { unix.Unmount(scratch, unix.MNT_DETACH) })
	must(os.Mkdir(scratch+"/up", 0o755))
	must(os.Mkdir(scratch+"/work", 0o755))
	must(unix.Mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+scratch+"/up,workdir="+scratch+"/work"))
	t.Cleanup(func() { unix.Unmount("/etc", unix.MNT_DETACH) })
	return &machine{t: t, dir: t.TempDir()}
}

// account makes an account with a password; lines of shadow(5)'s later fields may be set with chage's options.
func (m *machine) account(name, password string, chage ...string) {
	m.t.Helper()
	m.run("", "useradd", "--no-create-home", name)
	m.run(name+":"+password+"\n", "chpasswd")
	if len(chage) > 0 {
		m.run("", "chage", append(chage, name)...)
	}
}

// service writes a service file.
func (m *machine) service(name string, lines ...string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// module builds the tests' own module and returns its path.
func (m *machine) module() string {
	m.t.Helper()
	path := filepath.Join(m.dir, "pam_cast.so")
	m.run("", "cc", "-shared", "-fPIC", "-o", path, "testdata/pam_cast.c", "-lpam")
	return path
}

func (m *machine) run(stdin, name string, args ...string) {
	m.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}
