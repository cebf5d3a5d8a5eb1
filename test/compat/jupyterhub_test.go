package compat

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// JupyterHub brings the tests of how it uses its proxy. They pass with ours in its place. They have waits of their own that are
// short for a busy machine: what fails is asked once more.
func TestJupyterHubsOwnTestsOfItsProxy(t *testing.T) {
	t.Parallel()
	python := needs(t, "jupyterhub-6.1.1-tests", "python")
	args := []string{"-m", "pytest", "-q", "--last-failed", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=module",
		"-o", "asyncio_default_test_loop_scope=module", "-W", "ignore", "--pyargs", "jupyterhub.tests.test_proxy"}
	if !hasAddress(t) {
		args = append(args, "-k", "not bind_ip") // which asks for the address of this machine's name
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	dir, path := t.TempDir(), filepath.Dir(ourCHP(t)[0])+":"+filepath.Dir(python)+":/usr/bin:/bin"
	for again := false; ; again = true {
		cmd := exec.CommandContext(ctx, python, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+path, "HOME="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts hubs, proxies and servers
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		said, err := cmd.CombinedOutput()
		switch {
		case err == nil && strings.Contains(string(said), " passed"):
			return
		case again:
			t.Fatalf("%v\n%s", err, said)
		}
	}
}

func hasAddress(t *testing.T) bool {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		return false
	}
	addresses, err := net.DefaultResolver.LookupHost(t.Context(), name)
	return err == nil && len(addresses) > 0
}
