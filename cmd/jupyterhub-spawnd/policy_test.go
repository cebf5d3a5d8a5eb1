package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/systemdspawner/launcher"
)

// etc writes a configuration directory.
func etc(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jupyterhub.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGroupThenUserThenProfile(t *testing.T) {
	root := source{dir: etc(t, `
[authenticator]
allow_all = true
[spawner]
mem_limit = "4G"
[spawner.group.students]
mem_limit = "1G"
cpu_limit = 0.5
group_slice = true
[spawner.user.alice]
mem_limit = "2G"
[[spawner.profile]]
name = "gpu"
allowed_groups = ["gpu"]
tasks_max = 99
device_allow = ["/dev/nvidia*"]
`)}
	p, changes, err := root.load(nil)
	if err != nil || len(changes) != 0 {
		t.Fatal(changes, err)
	}
	alice := hub.Account{Name: "alice", UID: 1000, Groups: []string{"alice", "students"}}
	s, err := p.Settings(launcher.Person{User: "alice", Account: alice}, launcher.Choice{Profile: "gpu"})
	if err != nil || s.MemLimit != 2<<30 || s.CPULimit != 0.5 || s.TasksMax != 99 || s.Group != "students" || !reflect.DeepEqual(s.DeviceAllow, []string{"/dev/nvidia*"}) {
		t.Errorf("alice: %+v", s)
	}
	if s, err := p.Settings(launcher.Person{User: "bob"}, launcher.Choice{}); err != nil || s.MemLimit != 4<<30 || s.Group != "" || len(s.Command) != 1 {
		t.Errorf("bob: %+v", s)
	}
	if len(p.Profiles) != 1 || p.Profiles[0].AllowedGroups[0] != "gpu" || p.StartTimeout == 0 {
		t.Errorf("policy: %+v", p)
	}
	if err := p.Rules.Admit(alice); err != nil {
		t.Error(err)
	}
	if err := p.Rules.Admit(hub.Account{Name: "daemon", UID: 1}); err == nil {
		t.Error("a system account is admitted")
	}
}

// Which account servers run as is root's word alone: by its table of names, by a template, or none at all.
func TestAsWhomServersRun(t *testing.T) {
	root := source{dir: etc(t, `
[authenticator]
username_map = { 'EXAMPLE\asmith' = "asmith" }
[spawner.user.carol]
username_template = "course-{USERNAME}"
[spawner.user.dave]
dynamic_users = true
`)}
	p, _, err := root.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]launcher.RunsAs{
		"alice": {Account: "alice"}, "asmith": {Account: `EXAMPLE\asmith`}, "carol": {Account: "course-carol", Other: true}, "dave": {Other: true, Guest: true},
	} {
		if got, err := p.RunsAs(user); err != nil || got != want {
			t.Errorf("%s runs as %+v, %v", user, got, err)
		}
	}
	if got, err := p.RunsAs(`EXAMPLE\asmith`); hub.KindOf(err) != hub.NotFound {
		t.Errorf("by the name that was given away: %+v, %v", got, err)
	}
}

// Every table that has a command, or another place to look for it, is tried by itself: the others run what [spawner] says.
func TestThePrograms(t *testing.T) {
	root := source{dir: etc(t, `
[spawner]
cmd = ["lab"]
search_path = ["/opt/jupyterhub/bin"]
[spawner.group.students]
cmd = ["notebook"]
[spawner.group.staff]
mem_limit = "8G"
[spawner.user.alice]
search_path = ["/home/alice/bin"]
[[spawner.profile]]
name = "gpu"
cmd = ["/opt/gpu/bin/lab", "--gpu"]
`)}
	p, _, err := root.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []launcher.Program{
		{Table: "spawner", Command: []string{"lab"}, SearchPath: []string{"/opt/jupyterhub/bin"}},
		{Table: "spawner.group.students", Command: []string{"notebook"}, SearchPath: []string{"/opt/jupyterhub/bin"}},
		{Table: "spawner.user.alice", Command: []string{"lab"}, SearchPath: []string{"/home/alice/bin"}},
		{Table: "spawner.profile.gpu", Command: []string{"/opt/gpu/bin/lab", "--gpu"}, SearchPath: []string{"/opt/jupyterhub/bin"}},
	}
	if !reflect.DeepEqual(p.Programs, want) || !p.GroupSettings {
		t.Errorf("got %+v\nwant %+v", p.Programs, want)
	}
}

// `make install PREFIX=` puts the two side by side, wherever that is.
func TestJupyterhubExecIsBesideThisProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	layout, err := installed()
	if err != nil || layout.Exec != filepath.Join(filepath.Dir(self), "jupyterhub-exec") {
		t.Errorf("got %q, %v", layout.Exec, err)
	}
}

func TestEveryMistakeInAPropertyIsSaidWithItsLine(t *testing.T) {
	root := source{dir: etc(t, `[spawner.sandbox]
PrivateTmp = "maybe"
PAMName = "login"
[spawner.group.students.unit_extra_properties]
Nice = 99
[[spawner.profile]]
name = "gpu"
[spawner.profile.sandbox]
NoSuchThing = ""
ReadOnlyPaths = ""
[spawner.profile.profile_options.image.unlisted_choice]
unit_extra_properties = { ReadWritePaths = ["{value}"], Nice = "very {value}" }
[spawner.profile.profile_options.cores.range]
least = 1
most = 100
unit_extra_properties = { CPUWeight = "{value}", Nice = "{value}" }
`)}
	_, _, err := root.load(nil)
	if hub.KindOf(err) != hub.Invalid {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"jupyterhub.toml:2: spawner.sandbox.PrivateTmp: wants true or false",
		"jupyterhub.toml:3: spawner.sandbox.PAMName: cannot stand here",
		"jupyterhub.toml:5: spawner.group.students.unit_extra_properties.Nice: wants a whole number from -20 to 19",
		"spawner.profile.gpu.sandbox.NoSuchThing: is not a property",
		"jupyterhub.toml:12: spawner.profile.gpu.profile_options.image.unlisted_choice.unit_extra_properties.Nice: wants a whole number",
		"jupyterhub.toml:16: spawner.profile.gpu.profile_options.cores.range.unit_extra_properties.Nice: wants a whole number",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	for _, right := range []string{"ReadWritePaths", "CPUWeight", "ReadOnlyPaths"} {
		if strings.Contains(err.Error(), right) {
			t.Errorf("%v\nfinds a mistake in %s", err, right)
		}
	}
}

func TestAReloadSaysWhatChanged(t *testing.T) {
	root := source{dir: etc(t, "[spawner]\nmem_limit = '1G'\n")}
	inForce, _, err := root.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root.dir, "jupyterhub.toml"), []byte("[spawner]\nmem_limit = '3G'\n[hub]\nbase_url='/jh/'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, doing := range []string{"looking", "reloading"} {
		_, changes, err := root.load(inForce)
		if err != nil || len(changes) != 1 || !strings.Contains(changes[0], "spawner.mem_limit") {
			t.Errorf("%s: changes %q, %v", doing, changes, err)
		}
	}
}

// What units are called, and whether a word was said about swap, root's file says.
func TestNamesAndSwapAreReadFromTheFile(t *testing.T) {
	for text, want := range map[string]struct {
		unit string
		open bool
	}{
		"": {"jupyter-alice-gpu.service", true},
		"[spawner]\nunit_name_template = \"jupyter-{USERNAME}-singleuser\"\nswap_limit = \"\"\n": {"jupyter-alice-singleuser-gpu.service", false},
		"[spawner]\nmem_limit = 0\n":               {"jupyter-alice-gpu.service", false},
		"[spawner.group.x]\nswap_limit = \"1G\"\n": {"jupyter-alice-gpu.service", false},
	} {
		root := source{dir: etc(t, text)}
		p, _, err := root.load(nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Names.Of(hub.ServerRef{User: "alice", Server: "gpu"}); got != want.unit || p.SwapOpen != want.open {
			t.Errorf("%s: %s, swap is open: %t", text, got, p.SwapOpen)
		}
	}
}
