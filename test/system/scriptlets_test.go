package system

import (
	"os"
	"strings"
	"testing"
)

// scriptlet is what a package manager runs, with a package's own words.
type scriptlet struct{ upgrade, remove string }

// scriptlets are those of the packages that this machine cannot build. Debian's are played by TestDebianPackage.
func scriptlets(t *testing.T) map[string]scriptlet {
	t.Helper()
	text := func(path string) string {
		b, err := os.ReadFile("../../packaging/" + path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	spec := text("rpm/jupyterhubd.spec")
	section := func(name, argument string) string {
		_, rest, ok := strings.Cut(spec, "\n%"+name+"\n")
		body, _, _ := strings.Cut(rest, "\n%")
		if !ok || strings.Contains(body, "%") {
			t.Fatalf("%%%s is not there, or has macros, which nobody expands here", name)
		}
		return "set -- " + argument + "\n" + body
	}
	arch := text("arch/jupyterhubd.install")
	return map[string]scriptlet{
		"rpm":  {section("post", "2"), section("preun", "0")},
		"arch": {arch + "\npost_upgrade 0.2.0-1 0.1.0-1", arch + "\npre_remove 0.1.0-1"},
	}
}

// Whatever package manager upgrades it, the hub is restarted, and the proxy is followed by a new process: nobody's connection ends. A
// removal stops and disables everything.
func TestScriptletsReloadTheProxy(t *testing.T) {
	t.Parallel()
	m := installed(t)
	run := func(script string) {
		t.Helper()
		if out, err := m.bed.Run(t.Context(), "bash", "-euc", script); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	show := func(what, unit string) string { return m.admin("systemctl show -P " + what + " " + unit) }
	for name, s := range scriptlets(t) {
		m.admin("systemctl enable --now jupyterhub")
		m.mustBeUp(name + ": enabled")
		process, invocation, hub := show("MainPID", "jupyterhub-proxy"), show("InvocationID", "jupyterhub-proxy"), show("InvocationID", "jupyterhub")
		run(s.upgrade)
		m.mustBeUp(name + ": upgraded")
		if show("InvocationID", "jupyterhub-proxy") != invocation {
			t.Errorf("%s: an upgrade restarts the proxy, which holds people's connections", name)
		}
		if show("MainPID", "jupyterhub-proxy") == process {
			t.Errorf("%s: after an upgrade the proxy is the old one", name)
		}
		if show("InvocationID", "jupyterhub") == hub {
			t.Errorf("%s: after an upgrade the hub is the old one", name)
		}
		m.admin("systemctl stop jupyterhub.target")
		m.mustBeDown(name + ": stopped")
		run(s.upgrade)
		m.mustBeDown(name + ": upgraded while it is stopped")
		m.admin("systemctl start jupyterhub")
		m.mustBeUp(name + ": started")
		run(s.remove)
		m.mustBeDown(name + ": removed")
		m.refused("systemctl is-enabled jupyterhub.service")
	}
}
