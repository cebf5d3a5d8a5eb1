package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

func (m *stage) edit(t *testing.T, to target, script string) string {
	t.Helper()
	t.Setenv("SYSTEMD_EDITOR", script)
	m.out.Reset()
	if err := m.app.edit(t.Context(), to); err != nil {
		m.out.WriteString("error: " + err.Error() + "\n")
	}
	return strings.ReplaceAll(m.out.String(), m.dir, "DIR")
}

func TestEditMakesChangesAndRemovesADropIn(t *testing.T) {
	m := newMachine(t, "")
	var asked []string
	m.app.systemctl = func(_ context.Context, args ...string) ([]byte, error) {
		asked = append(asked, strings.Join(args, " "))
		return nil, nil
	}
	alice := unitOf(t, "alice", "", false)
	compare(t, m.edit(t, alice, "sed -i s/^#Memory/Memory/"), `
wrote DIR/units/jupyter-alice.service.d/override.conf
Limits (MemoryMax=, CPUQuota=, TasksMax=, …) hold from now on, also for a server that runs.
Everything else holds from the next start of alice's server.
`)
	got, err := os.ReadFile(m.at("units/jupyter-alice.service.d/override.conf"))
	if err != nil || string(got) != "[Service]\nMemoryMax=4G\n" {
		t.Errorf("wrote %q, %v", got, err)
	}
	compare(t, m.edit(t, alice, "true"), "\nnothing was changed\n")
	compare(t, m.edit(t, alice, "sed -i /Memory/d"), `
removed DIR/units/jupyter-alice.service.d/override.conf
Limits (MemoryMax=, CPUQuota=, TasksMax=, …) hold from now on, also for a server that runs.
Everything else holds from the next start of alice's server.
`)
	if _, err := os.Stat(m.at("units/jupyter-alice.service.d")); !os.IsNotExist(err) {
		t.Errorf("an empty directory was left: %v", err)
	}
	if strings.Join(asked, ",") != "daemon-reload,daemon-reload" {
		t.Errorf("systemctl was asked to %v", asked)
	}
}

func TestAnUntouchedTemplateMakesNoDropIn(t *testing.T) {
	m := newMachine(t, "")
	compare(t, m.edit(t, unitOf(t, "bob", "", true), "true"), "\nnothing was changed\n")
	if got := m.edit(t, target{hub.UserSlice("bob", ""), "Slice", "all servers of " + "bob"}, "false"); !strings.HasPrefix(got, "error: the editor ended badly, and nothing was changed") {
		t.Error(got)
	}
	if _, err := os.Stat(m.at("units")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

func TestEditSaysWhenSystemdDidNotHear(t *testing.T) {
	m := newMachine(t, "")
	m.app.systemctl = func(context.Context, ...string) ([]byte, error) { return nil, errors.New("access denied") }
	if got := m.edit(t, target{hub.UserSlice("alice", ""), "Slice", "all servers of " + "alice"}, "sed -i s/^#CPU/CPU/"); !strings.HasSuffix(got, "error: access denied\n") {
		t.Error(got)
	}
}

func TestTargetsAreTheUnitsOfDesign(t *testing.T) {
	for want, got := range map[string]target{
		"jupyter-alice.service":              unitOf(t, "alice", "", false),
		"jupyter-alice-gpu.service":          unitOf(t, "alice", "gpu", false),
		"jupyter-alice-.service":             unitOf(t, "alice", "", true),
		"jupyter-user_alice.slice":           target{hub.UserSlice("alice", ""), "Slice", "all servers of " + "alice"},
		`jupyter-a\x2db.service`:             unitOf(t, "a-b", "", false),
		`jupyter-user_a\x2db.slice`:          target{hub.UserSlice("a-b", ""), "Slice", "all servers of " + "a-b"},
		`jupyter-bob\x40example.org.service`: unitOf(t, "bob@example.org", "", false),
	} {
		if got.unit != want {
			t.Errorf("got %s, want %s", got.unit, want)
		}
	}
}

// The slice of somebody is in her group's, where one decides.
func TestTheSliceToEditIsTheOneThatServersAreIn(t *testing.T) {
	m := newMachine(t, `
[authenticator]
username_map = { bob = "robert" }
guest_users = ["visitor-*"]
guest_groups = ["data-science"]
[spawner.group.data-science]
group_slice = true
[spawner.group.staff]
mem_limit = '8G'
[spawner.user.course]
username_template = "alice"
[spawner.user.eve]
dynamic_users = true
`)
	m.app.account = func(_ context.Context, name string) (hub.Account, error) {
		groups := map[string][]string{"alice": {"alice", "data-science"}, "bob": {"bob", "staff"}}[strings.ToLower(name)]
		if groups == nil {
			return hub.Account{}, hub.Errorf(hub.NotFound, "no %s", name)
		}
		return hub.Account{Name: groups[0], Groups: groups}, nil
	}
	for name, want := range map[string]string{
		"alice": `jupyter-group_data\x2dscience-user_alice.slice`, "ALICE": `jupyter-group_data\x2dscience-user_alice.slice`,
		"robert": "jupyter-user_robert.slice", "course": `jupyter-group_data\x2dscience-user_course.slice`, "eve": "jupyter-user_eve.slice",
		"visitor-1": `jupyter-group_data\x2dscience-user_visitor\x2d1.slice`,
	} {
		who, err := m.app.person(t.Context(), name)
		if got := who.slice(); err != nil || got != want {
			t.Errorf("of %s it is %s, want %s; %v", name, got, want, err)
		}
	}
	for _, name := range []string{"bob", "mallory"} {
		if who, err := m.app.person(t.Context(), name); hub.KindOf(err) != hub.NotFound {
			t.Errorf("%s is %+v, %v", name, who, err)
		}
	}
}

// unitOf is what an admin edits where nothing else is configured.
func unitOf(t *testing.T, user, server string, named bool) target {
	t.Helper()
	unit, err := person{user: user}.target(server, named)
	if err != nil {
		t.Fatal(err)
	}
	return unit
}

// Drop-ins go by the names that root's file gives to units.
func TestTheUnitToEditIsCalledByTheTemplate(t *testing.T) {
	m := newMachine(t, "[spawner]\nunit_name_template = \"jupyter-{USERNAME}-singleuser\"\n")
	m.app.account = func(_ context.Context, name string) (hub.Account, error) { return hub.Account{Name: name}, nil }
	who, err := m.app.person(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		server string
		named  bool
	}{"jupyter-alice-singleuser.service": {}, "jupyter-alice-singleuser-gpu.service": {"gpu", false}, "jupyter-alice-singleuser-.service": {"", true}} {
		if got, err := who.target(c.server, c.named); err != nil || got.unit != want {
			t.Errorf("got %s, %v, want %s", got.unit, err, want)
		}
	}
	who.conf.Spawner.UnitNameTemplate = "jupyter-{SERVERNAME}-{USERNAME}"
	if got, err := who.target("", true); err == nil {
		t.Errorf("%s is said to reach all", got.unit)
	}
}
