package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/pam/door"
	"jupyterhubd/hub/varlink"
)

// The tests play systemd: they start this test binary again as the program, with a connection as descriptor 3.
const playedMain = "JUPYTERHUB_PAM_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(playedMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// played is one process behind the door.
type played struct {
	*varlink.Conn
	cmd *exec.Cmd
	log *strings.Builder
}

func play(t *testing.T, toml string, args ...string) *played {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jupyterhub.toml"), []byte(toml), 0o644); err != nil {
		t.Fatal(err)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	p := &played{Conn: varlink.NewConn(c), log: new(strings.Builder)}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "--config", dir}, args...)...)
	p.cmd.Env = append(os.Environ(), playedMain+"=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=connection", "JOURNAL_STREAM=1:1")
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *played) call(t *testing.T, method string, in any) (hub.Step, error) {
	t.Helper()
	var out struct {
		Step hub.Step `json:"step"`
	}
	err := p.Call(t.Context(), varlink.Authenticator+"."+method, in, &out)
	return out.Step, err
}

func (p *played) begin(t *testing.T, user string) (hub.Step, error) {
	t.Helper()
	return p.call(t, "Begin", map[string]string{"user": user, "remote_host": "192.0.2.7", "tty": "jupyterhub"})
}

// end waits for the process and returns what it logged.
func (p *played) end(t *testing.T) string {
	t.Helper()
	p.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.log)
	}
	return p.log.String()
}

func TestRootIsRefusedLikeAWrongPassword(t *testing.T) {
	needsRoot(t)
	for _, args := range [][]string{nil, {"--passwd"}} {
		p := play(t, "[authenticator]\nservice = \"other\"\nallow_all = true\nallowed_users = [\"root\"]\n", args...)
		step, err := p.begin(t, "root")
		if err != nil || len(step.Prompts) != 1 || step.Prompts[0].Echo {
			t.Fatalf("%+v, %v", step, err)
		}
		_, err = p.call(t, "Answer", map[string]any{"answers": []string{"root"}})
		if hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != door.Refusal {
			t.Errorf("%q: %v", args, err)
		}
		if log := p.end(t); !strings.Contains(log, "system account") || !strings.Contains(log, "192.0.2.7") {
			t.Errorf("the log says %q", log)
		}
	}
}

func TestMistakesOfTheMachineAreToldToTheJournalAlone(t *testing.T) {
	needsRoot(t)
	for toml, want := range map[string]string{
		"[authenticator]\nallow_everyone = true\n":       "jupyterhub.toml:2: authenticator.allow_everyone",
		"[authenticator]\nservice = \"no-such-service\"": "/etc/pam.d/no-such-service is missing",
	} {
		p := play(t, toml)
		_, err := p.begin(t, "alice")
		if hub.KindOf(err) != hub.Unavailable || strings.Contains(hub.TextOf(err), "jupyterhub.toml") || strings.Contains(hub.TextOf(err), "pam.d") {
			t.Errorf("told %v", err)
		}
		if log := p.end(t); !strings.Contains(log, want) {
			t.Errorf("the log says %q, want %q", log, want)
		}
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the door answers root and the hub's account alone")
	}
}
