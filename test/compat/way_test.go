package compat

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/test/testbed"
)

// The same conversations on the whole way, on one machine with systemd: through our proxy, with the system's passwords, to servers
// that are units; and through configurable-http-proxy to JupyterHub. What differs is a row of either table.
func TestConversationsOnTheWholeWay(t *testing.T) {
	chp := realCHP(t)[1]
	program := needs(t, "singleuser-6.1.1", "jupyterhub")
	testbed.Needed(t)
	bed, err := testbed.Boot(t.Context(), testbed.Options{Bare: true, Users: []string{"zoe"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.End(); err != nil {
			t.Error(err)
		}
	})
	var without []string
	if os.Getenv("RELEASE") == "" { // no proxy looks into bodies
		without = []string{"malformed", "a list", "an unknown key"}
	}
	steps := expand(readTalks(t, "talks/*.txt"), without...)
	ours := oursIn(t, bed)
	theirs, mine := converse(t, steps, upstreamIn(t, bed, program, chp), ours)
	keepsSecrets(t, ours, bed.Journal(t.Context()))
	tally(t, steps, theirs, mine, allowedOnTheWay, allowed)
}

// source is where a bed has this project.
const source = "/usr/src/jupyterhub/"

// upstreamIn starts a JupyterHub with its proxy in a bed, where all ports are free.
func upstreamIn(t *testing.T, bed *testbed.Bed, program, chp string) *side {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	said := new(spoken)
	const home = "/var/lib/upstream"
	cmd := bed.Cmd(ctx, "sh", "-c", `mkdir -p "$HUB_HOME" && cd "$HUB_HOME" && exec "$@"`, "sh", program, "--config="+source+"test/compat/testdata/jupyterhub_config.py")
	cmd.Env = append(cmd.Env, "HUB_HOME="+home, "HUB_SITE="+source+"test/compat/testdata/site.json", "HUB_PROXY="+chp, "HUB_PORT=9000",
		"PATH="+filepath.Dir(program)+":/usr/local/bin:/usr/bin:/bin", "JUPYTERHUB_CRYPT_KEY="+cryptKey)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	s := newSide(t, "JupyterHub", func(ctx context.Context) (net.Conn, error) { return bed.Dial(ctx, "tcp", "127.0.0.1:9000") })
	s.awaitAnswer(ended, said)
	return s
}

// server is a user's server that does what its scene says: fail, hang, or be there.
const server = `#!/bin/sh
case $(cat ~/scene 2>/dev/null) in fail) exit 1;; hang) exec sleep infinity;; esac
exec /usr/local/bin/there "$@"
`

// oursIn installs the product in a bed and configures it as the site says.
func oursIn(t *testing.T, bed *testbed.Bed) *side {
	t.Helper()
	ctx := t.Context()
	there := filepath.Join(t.TempDir(), "there")
	build := exec.CommandContext(ctx, "go", "build", "-o", there, "jupyterhubd/test/bench/singleuser")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	binary, err := os.ReadFile(there)
	if err != nil {
		t.Fatal(err)
	}
	s := readSite(t)
	files := map[string]string{"/usr/local/bin/there": string(binary), "/usr/local/bin/play-singleuser": server,
		"/etc/jupyterhub/crypt-keys": cryptKey, "/etc/systemd/system/jupyterhub.service.d/keys.conf": "[Service]\nLoadCredential=crypt-keys:/etc/jupyterhub/crypt-keys\n"}
	for _, service := range s.Services {
		files[tokenFile(service)] = service.Token
	}
	for name, text := range files {
		mode := os.FileMode(0o640)
		if strings.HasPrefix(name, "/usr/local/bin/") {
			mode = 0o755
		}
		if err := bed.WriteFile(ctx, name, text, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := bed.Install(ctx, s.configuration()); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"sh", "-c", "chgrp jupyterhub /etc/jupyterhub/token-*"},
		{"sh", "-c", "for name in admin alice bob mallory zoe; do echo $name:secret; done | chpasswd"},
		{"cc", "-shared", "-fPIC", "-o", "/usr/local/lib/pam_cast.so", source + "hub/auth/pam/conv/testdata/pam_cast.c", "-lpam"},
		{"sed", "-i", "1aauth [success=ignore default=1] pam_succeed_if.so quiet user = bob\\nauth optional /usr/local/lib/pam_cast.so env=FROM=login", "/etc/pam.d/jupyterhub"},
		{"systemctl", "enable", "--now", "jupyterhub"},
	} {
		if _, err := bed.Run(ctx, command[0], command[1:]...); err != nil {
			t.Fatalf("%v\n%s", err, bed.Journal(ctx))
		}
	}
	if err := bed.AwaitHub(ctx); err != nil {
		t.Fatal(err)
	}
	bed.Watch(t)
	ours := newSide(t, "ours", func(ctx context.Context) (net.Conn, error) { return bed.Dial(ctx, "tcp", "127.0.0.1:8000") })
	ours.before = func(st step) error { return setScene(ctx, bed, st) }
	return ours
}

func tokenFile(s siteService) string { return "/etc/jupyterhub/token-" + s.Name }

// setScene tells Alice's servers what to do, before they are asked to start.
func setScene(ctx context.Context, bed *testbed.Bed, st step) error {
	if st.method != "POST" || !strings.HasPrefix(st.path, "/users/alice/server") {
		return nil
	}
	scene := ""
	for _, play := range []string{"fail", "hang"} {
		if strings.Contains(st.body, `"`+play+`"`) {
			scene = play
		}
	}
	return bed.WriteFile(ctx, "/home/alice/scene", scene, 0o644)
}

// configuration is the site in our own words.
func (s site) configuration() string {
	var b strings.Builder
	io.WriteString(&b, `[hub]
allow_named_servers = true
slow_spawn_timeout = "10s"
slow_stop_timeout = "30s"
[authenticator]
enable_auth_state = true
auth_state_variables = ["FROM"]
admin_groups = []
[spawner]
cmd = ["play-singleuser"]
`)
	for name, scope := range s.CustomScopes {
		fmt.Fprintf(&b, "[hub.custom_scopes.%q]\ndescription = %q\nsubscopes = %s\n", name, scope.Description, list(scope.Subscopes))
	}
	for _, service := range s.Services {
		fmt.Fprintf(&b, "[[hub.services]]\nname = %q\napi_token_file = %q\noauth_no_confirm = %t\n", service.Name, tokenFile(service), service.NoConfirm)
		if service.RedirectURI != "" {
			fmt.Fprintf(&b, "oauth_redirect_uri = %q\n", service.RedirectURI)
		}
	}
	for _, role := range s.Roles {
		fmt.Fprintf(&b, "[[hub.load_roles]]\nname = %q\n", role.Name)
		for key, names := range map[string][]string{"scopes": role.Scopes, "services": role.Services, "users": role.Users} {
			if names != nil {
				fmt.Fprintf(&b, "%s = %s\n", key, list(names))
			}
		}
	}
	return b.String()
}

// list is a list of strings in TOML.
func list(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
