package main

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jupyterhubd/hub/credential"
)

// unit is what systemd gives a unit's first process: a directory with the credential.
func unit(t *testing.T, content []byte) (environ []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "environment"), content, 0o400); err != nil {
		t.Fatal(err)
	}
	return []string{"PATH=/usr/bin", "HOME=/home/alice", "CREDENTIALS_DIRECTORY=" + dir}
}

func whole(t *testing.T, env credential.Environment) []byte {
	t.Helper()
	b, err := credential.Encode(env)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// became remembers what the process became.
type became struct{ command, env []string }

func (b *became) exec(_ string, argv, env []string) error {
	b.command, b.env = argv, slices.Sorted(slices.Values(env))
	return syscall.ENOENT // a real execve does not return
}

func TestTheCredentialBecomesTheEnvironment(t *testing.T) {
	environ := append(unit(t, whole(t, credential.Environment{"JUPYTERHUB_USER": "alice", "JUPYTERHUB_API_TOKEN": "t\nwo lines"})),
		"JUPYTERHUB_USER=mallory", "MEM_LIMIT=1073741824")
	var b became
	end, err := run(t.Context(), []string{"--", "/opt/jupyterhub/bin/jupyterhub-singleuser", "--debug"}, environ, b.exec)
	if end.code != exitCommandGone || !strings.Contains(err.Error(), "/opt/jupyterhub/bin/jupyterhub-singleuser cannot be run") {
		t.Errorf("status %d, %v", end.code, err)
	}
	want := []string{"HOME=/home/alice", "JUPYTERHUB_API_TOKEN=t\nwo lines", "JUPYTERHUB_USER=alice", "MEM_LIMIT=1073741824", "PATH=/usr/bin"}
	if !reflect.DeepEqual(b.env, want) {
		t.Errorf("environment %q, want %q", b.env, want)
	}
	if !reflect.DeepEqual(b.command, []string{"/opt/jupyterhub/bin/jupyterhub-singleuser", "--debug"}) {
		t.Errorf("command %q", b.command)
	}
}

// What systemd would take for a variable comes encoded, if it is said to be, and every other percent sign is one.
func TestDollarSignsOfACommandAreDecoded(t *testing.T) {
	environ := unit(t, whole(t, credential.Environment{"JUPYTERHUB_USER": "alice"}))
	for flag, want := range map[string][]string{"--dollars": {"/bin/echo", "$HOME", "%24 5%"}, "--tcp=false": {"/bin/echo", "%24HOME", "%2524 5%25"}} {
		var b became
		if run(t.Context(), []string{flag, "--", "/bin/echo", "%24HOME", "%2524 5%25"}, environ, b.exec); !reflect.DeepEqual(b.command, want) {
			t.Errorf("with %s the command is %q", flag, b.command)
		}
	}
}

// Vulnerability: systemd hands over a partial credential when the hub dies while it answers; a server would start with half
// an identity.
// Attack: the hub is killed after each byte.
// Verified: every beginning of a credential ends with status 78.
func TestHalfACredentialStartsNothing(t *testing.T) {
	content := whole(t, credential.Environment{"JUPYTERHUB_USER": "alice", "JUPYTERHUB_API_TOKEN": "secret"})
	for n := range len(content) {
		var b became
		end, err := run(t.Context(), []string{"--", "/bin/true"}, unit(t, content[:n]), b.exec)
		if end.code != exitCredential || b.command != nil || strings.Contains(err.Error(), "secret") {
			t.Fatalf("%d of %d bytes: status %d, %v, became %q", n, len(content), end.code, err, b.command)
		}
	}
}

// Vulnerability: the hub chooses what the user's programs load.
// Attack: a hub that was taken over sends loader and interpreter variables with a good checksum.
// Verified: status 78, nothing runs.
func TestATakenOverHubCannotSetLoaderVariables(t *testing.T) {
	for _, name := range []string{"LD_PRELOAD", "PYTHONPATH", "PATH", "HOME", "BASH_ENV", "NODE_OPTIONS", "JUPYTER_CONFIG_DIR"} {
		forged := strings.ReplaceAll(string(whole(t, credential.Environment{"JUPYTERHUB_USER": "alice"})), "JUPYTERHUB_USER", name)
		var b became
		if end, _ := run(t.Context(), []string{"--", "/bin/true"}, unit(t, []byte(forged)), b.exec); end.code != exitCredential || b.command != nil {
			t.Errorf("%s: status %d, became %q", name, end.code, b.command)
		}
	}
}

func TestAStaleSocketIsRemovedAndNothingElse(t *testing.T) {
	environ := unit(t, whole(t, nil))
	dir := t.TempDir()
	stale, precious := filepath.Join(dir, "s"), filepath.Join(dir, "precious")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{stale: exitCommandGone, filepath.Join(dir, "absent"): exitCommandGone, precious: exitUsage} {
		if end, err := run(t.Context(), []string{"--socket", path, "--", "/bin/true"}, environ, new(became).exec); end.code != want {
			t.Errorf("%s: status %d, %v, want %d", path, end.code, err, want)
		}
	}
	left, _ := filepath.Glob(dir + "/*")
	if !reflect.DeepEqual(left, []string{precious}) {
		t.Errorf("left %q", left)
	}
}

func TestWrongCommandLines(t *testing.T) {
	environ := unit(t, whole(t, nil))
	for _, args := range [][]string{nil, {"--"}, {"--", "relative"}, {"--env", "x", "--", "/bin/true"}} {
		if end, err := run(t.Context(), args, environ, new(became).exec); end.code != exitUsage || err == nil {
			t.Errorf("%q: status %d, %v", args, end.code, err)
		}
	}
}

func TestWithoutACredentialNothingStarts(t *testing.T) {
	for name, environ := range map[string][]string{
		"no directory":  {"PATH=/usr/bin"},
		"no credential": {"CREDENTIALS_DIRECTORY=" + t.TempDir()},
		"too long":      unit(t, make([]byte, credential.MaxSize+1)),
	} {
		if end, err := run(t.Context(), []string{"--", "/bin/true"}, environ, new(became).exec); end.code != exitCredential {
			t.Errorf("%s: status %d, %v", name, end.code, err)
		}
	}
}

func TestEveryAllowedVariableReachesTheServerOnce(t *testing.T) {
	env := credential.Environment{"JUPYTERHUB_USER": "a", "JUPYTERHUB_SERVER_NAME": "", "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api"}
	var b became
	run(t.Context(), []string{"--", "/bin/true"}, append(unit(t, whole(t, env)), "JUPYTERHUB_USER=b", "JUPYTERHUB_USER=c"), b.exec)
	got := map[string]int{}
	for _, v := range b.env {
		name, _, _ := strings.Cut(v, "=")
		got[name]++
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if got[name] != 1 {
			t.Errorf("%s is set %d times", name, got[name])
		}
	}
}
