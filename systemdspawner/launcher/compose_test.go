package launcher

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The cast.
var (
	alice   = hub.Account{Name: "alice", UID: 1000, GID: 1000, Home: "/home/alice", Shell: "/bin/bash", Groups: []string{"alice", "students"}}
	bob     = hub.Account{Name: "bob", UID: 1001, GID: 1001, Home: "/net/home/bob 100%", Shell: "/bin/sh", Groups: []string{"bob", "gpu"}}
	mallory = hub.Account{Name: "mallory", UID: 1666, GID: 1666, Home: "/usr/games/mallory", Shell: "/bin/sh", Groups: []string{"mallory"}}
)

// ordinary is how servers run where the admin changed nothing.
func ordinary() Settings {
	return Settings{
		Command: []string{"jupyterhub-singleuser"}, SearchPath: []string{"/opt/jupyterhub/bin", "/usr/bin", "/bin"},
		DefaultURL: "/lab", MemLimit: 2 << 30, CPULimit: 2, TasksMax: 1024,
		Sandbox: map[string]any{
			"InaccessiblePaths": []any{"-/run/dbus/system_bus_socket", "-/run/user", "-/srv/exams"},
			"NoNewPrivileges":   true, "PrivateDevices": true, "PrivateTmp": true, "ProtectProc": "invisible", "ProtectSystem": "full",
			"RestrictAddressFamilies": []any{"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}, "RestrictNamespaces": true,
			"SystemCallErrorNumber": "EPERM", "SystemCallFilter": []any{"@system-service", "~@keyring"},
		},
	}
}

func order(a hub.Account, server string, s Settings) Order {
	ref := hub.ServerRef{User: a.Name, Server: server}
	return Order{
		ServerRef: ref, Unit: hub.UnitName(ref), Person: Person{User: a.Name, Account: a}, Settings: s,
		Command: "/opt/jupyterhub/bin/jupyterhub-singleuser", StartTimeout: time.Minute,
	}
}

// TestCompose shows every unit that we make as it goes to systemd. Read the golden files; they are the review.
func TestCompose(t *testing.T) {
	special := ordinary()
	special.Command = []string{"/srv/courses/start", "--course={username}", "cost=$HOME"}
	special.Args = []string{"--socket", "{socket}"}
	special.Environment = map[string]string{"LANG": "de_DE.UTF-8", "WORK": "/scratch/{USERNAME}", "PATH": "/srv/bin"}
	special.NotebookDir, special.DisableUserConfig = "~/notebooks", true
	special.MemLimit, special.CPULimit, special.TasksMax = 0, 0.5, 0
	special.Group = "gpu"
	special.UnitExtraProperties = map[string]any{
		"PrivateTmp": false, "ProtectSystem": "strict", "ReadWritePaths": []any{"/scratch/{username}"}, "Nice": int64(5), "SystemCallFilter": []any{},
	}
	gpu := order(bob, "deep-learning", special)
	gpu.Command, gpu.Devices = "/srv/courses/start", []string{"/dev/nvidia0", "/dev/nvidiactl"}
	ports := ordinary()
	ports.TCP, ports.Args = true, []string{"--www-port={port}"}
	guest := order(alice, "", ordinary())
	guest.Person = Person{User: "alice", Account: guestAccount("alice", nil), Other: true, Guest: true}
	other := order(bob, "", ordinary())
	other.ServerRef.User, other.Person.User, other.Person.Other = "robert", "robert", true
	other.Unit = "jupyter-robert-singleuser.service"
	imaged := ordinary()
	imaged.Software = Software{RootImage: "/srv/lab.raw", ExtensionImages: []string{"/srv/torch.raw"}, ExtensionDirectories: []string{"/srv/data"}}
	imaged.Sandbox["ProtectSystem"] = "strict"
	for name, c := range map[string]struct {
		layout Layout
		order  Order
	}{
		"alice":             {DefaultLayout(), order(alice, "", ordinary())},
		"bob-profile":       {DefaultLayout(), gpu},
		"mallory-below-usr": {DefaultLayout(), order(mallory, "ü", ordinary())},
		"alice-as-a-guest":  {DefaultLayout(), guest},
		"alice-in-an-image": {DefaultLayout(), order(alice, "", imaged)},
		"robert-as-bob":     {DefaultLayout(), other},
		"alice-over-tcp":    {DefaultLayout(), order(alice, "", ports)},
	} {
		got, err := Compose(c.layout, c.order)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, render(got))
	}
}

// render writes a composition as text, a property a line with its type on the bus.
func render(c Composition) string {
	var b strings.Builder
	b.WriteString("unit " + c.Unit + "\nslice " + c.Slice + "\nsocket " + c.Socket + "\n\n")
	for _, p := range c.Properties {
		value := p.Value.String()
		if fields, ok := p.Value.Value().([][]byte); ok {
			value = fmt.Sprintf("%q", fields)
		}
		b.WriteString(p.Name + " (" + p.Value.Signature().String() + ") " + value + "\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is composed differently now (go test -run TestCompose -update writes it anew):\n%s", name, got)
	}
}

// Vulnerability: limits that do not bind. PAMName= with pam_systemd moves a server out of its unit.
// Attack: a configuration that wants it, or anything else that decides who the server is.
// Verified: refused by name, wherever it stands.
func TestWhatDecidesIdentityIsNobodysToSet(t *testing.T) {
	for _, name := range []string{"AmbientCapabilities", "Environment", "ExecStart", "Group", "LoadCredential", "LogExtraFields",
		"PAMName", "SetCredential", "Slice", "User", "user"} {
		s := ordinary()
		s.UnitExtraProperties = map[string]any{name: "x"}
		if _, err := Compose(DefaultLayout(), order(alice, "", s)); hub.KindOf(err) != hub.Invalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Vulnerability: what a user chooses ends up in the texts of a unit.
// Attack: server names that look like directives, specifiers, variables or other people's units.
// Verified: they stay one value of one property.
func TestNamesStayNames(t *testing.T) {
	hostile := []string{"%h", "$HOME", "a\nUser=root", `"; User=root`, "{home}", "{username}", "--", "bob", strings.Repeat("é", 120)}
	for _, server := range hostile {
		c, err := Compose(DefaultLayout(), order(alice, server, ordinary()))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Properties {
			switch v := p.Value.Value().(type) {
			case string:
				if p.Name != "Description" && strings.Contains(v, "root") {
					t.Errorf("%q: %s=%s", server, p.Name, v)
				}
			case [][]byte:
				if got := string(v[len(v)-1]); got != string(mark(markServer, server)) || len(v) != 3 {
					t.Errorf("%q: %q", server, v)
				}
			}
		}
		if c.Slice != "jupyter-user_alice.slice" || !strings.HasPrefix(c.Unit, "jupyter-alice-") || len(c.Unit) > hub.MaxUnitName {
			t.Errorf("%q: %s in %s", server, c.Unit, c.Slice)
		}
	}
}

// Vulnerability: root's file has names in command lines, and names are users'. Attack: one that looks like more words, or like a
// variable. Verified: it is a part of the word in which it stands.
func TestNamesAreNoWordsOfCommands(t *testing.T) {
	s := ordinary()
	s.UnitExtraProperties = map[string]any{"ExecStartPre": []any{"/srv/prepare for-{username} {home}", "-/srv/{USERNAME}/own"}}
	o := order(alice, "", s)
	o.ServerRef.User, o.Person.User = "a b $PATH", "a b $PATH"
	c, err := Compose(DefaultLayout(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Properties {
		if p.Name != "ExecStartPre" {
			continue
		}
		const want = `[("/srv/prepare", ["/srv/prepare", "for-a b $$PATH", "/home/alice"], false,), ("/srv/a b $PATH/own", ["/srv/a b $$PATH/own"], true,)]`
		if got := strings.TrimPrefix(p.Value.String(), "@a(sasb) "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		return
	}
	t.Error("there is no such command")
}

// Systemd reads the unit again at a daemon-reload: what it would take for several words is not in there.
func TestMountsAreRequiredByPathsThatSystemdReadsAgain(t *testing.T) {
	for home, want := range map[string]string{
		"/home/alice": "/home/alice", "/srv/häuser/däve": "/srv/häuser/däve", "/srv/ho mes/däve": "/srv", "/home/al'ice": "/home",
		"/my homes/alice": "/", "/home/100%": "/home", "/home/a\\x20b": "/home",
	} {
		if got := plain(home); got != want {
			t.Errorf("%q requires %q, want %q", home, got, want)
		}
	}
}
