package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// etc writes files below a directory and returns it.
func etc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Load(etc(t, map[string]string{MainFile: text}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatTheDesignShowsLoads(t *testing.T) {
	c := load(t, `
[hub]
base_url = "/jupyter/"
[authenticator]
kind = "pam"
allow_all = true
admin_groups = ["sudo"]
[spawner]
cmd = ["jupyterhub-singleuser"]
default_url = "/lab"
mem_limit = "2G"
cpu_limit = 2
[spawner.group.students]
mem_limit = "1G"
[[spawner.profile]]
name = "gpu"
allowed_groups = ["gpu"]
device_allow = ["/dev/nvidia*"]
[proxy]
tls_certificate = ""
[culler]
timeout = "1h"
`)
	switch {
	case c.Hub.BaseURL != "/jupyter/", !c.Authenticator.AllowAll, c.Spawner.MemLimit != 2<<30, c.Spawner.CPULimit != 2:
		t.Errorf("values are not those of the file: %+v", c)
	case c.Spawner.Profiles[0].DisplayName != "gpu", c.Culler.Timeout.Std().Hours() != 1:
		t.Errorf("profile or culler: %+v %+v", c.Spawner.Profiles, c.Culler)
	}
}

func TestAnEmptyFileIsTheDefaults(t *testing.T) {
	c := load(t, "")
	d := Default()
	if changes := Changes(d, c); len(changes) > 0 {
		t.Errorf("an empty file changes %v", changes)
	}
	if c.Authenticator.AllowAll || d.Spawner.Sandbox["PrivateTmp"] != true {
		t.Error("defaults are wrong")
	}
}

func TestAMissingMainFileIsTheDefaultsButAMissingDirectoryIsAMistake(t *testing.T) {
	if _, err := Load(t.TempDir()); err != nil {
		t.Error(err)
	}
	_, err := Load(filepath.Join(t.TempDir(), "nowhere"))
	if err == nil || !strings.Contains(err.Error(), "is no directory") {
		t.Errorf("got %v", err)
	}
}

func TestLaterFilesWinAndTablesAreMerged(t *testing.T) {
	dir := etc(t, map[string]string{
		MainFile: "[spawner]\nmem_limit='1G'\nargs=['--a']\n[spawner.environment]\nA='1'\nB='1'\n[spawner.sandbox]\nPrivateTmp=false\n" +
			"[spawner.group.students]\nmem_limit='512M'\n",
		DropInDir + "/20-late.toml":   "[spawner]\nmem_limit='4G'\n",
		DropInDir + "/10-early.toml":  "[spawner]\nmem_limit='3G'\nargs=['--b']\n[spawner.environment]\nB='2'\n[spawner.group.students]\ncpu_limit=1.0\n",
		DropInDir + "/README":         "not read",
		DropInDir + "/.#30-late.toml": "an editor's own",
	})
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Spawner
	if s.MemLimit != 4<<30 || !slices.Equal(s.Args, []string{"--b"}) || s.Environment["A"] != "1" || s.Environment["B"] != "2" {
		t.Errorf("merged to %+v", s.Policy)
	}
	if s.Sandbox["PrivateTmp"] != false || s.Sandbox["NoNewPrivileges"] != true {
		t.Errorf("the sandbox is %v; one key was to change", s.Sandbox)
	}
	if keys := s.Groups["students"].Keys(); !slices.Equal(keys, []string{"cpu_limit", "mem_limit"}) {
		t.Errorf("students set %v", keys)
	}
	if p := c.Where("spawner.mem_limit"); !strings.HasSuffix(p.File, "20-late.toml") || p.Line != 2 {
		t.Errorf("mem_limit is said to come from %v", p)
	}
	if p := c.Where("spawner.environment.B"); !strings.HasSuffix(p.File, "10-early.toml") || p.Line != 5 {
		t.Errorf("environment.B is said to come from %v", p)
	}
	if Default().Spawner.Sandbox["PrivateTmp"] != true {
		t.Error("loading a file changed the defaults")
	}
}

func TestGroupThenUserThenProfile(t *testing.T) {
	c := load(t, `
[spawner]
mem_limit = "1G"
environment = { A = "everyone", B = "everyone", C = "everyone", D = "everyone" }
[spawner.group.zoo]
mem_limit = "3G"
environment = { B = "zoo", C = "zoo", D = "zoo" }
[spawner.group.art]
group_slice = true
mem_limit = "2G"
cpu_limit = 0.5
[spawner.user.alice]
environment = { C = "alice", D = "alice" }
[[spawner.profile]]
name = "big"
mem_limit = "8G"
environment = { D = "big" }
sandbox = { PrivateTmp = "", SystemCallFilter = [] }
`)
	bob := c.Spawner.PolicyFor("bob", nil, nil)
	alice := c.Spawner.PolicyFor("alice", []string{"zoo", "art"}, nil)
	big := c.Spawner.PolicyFor("alice", []string{"zoo", "art"}, c.Spawner.ProfileNamed("big"))
	if bob.MemLimit != 1<<30 || bob.CPULimit != 2 || bob.Environment["D"] != "everyone" {
		t.Errorf("bob gets %+v", bob)
	}
	if alice.MemLimit != 3<<30 || alice.CPULimit != 0.5 || alice.Environment["B"] != "zoo" || alice.Environment["C"] != "alice" {
		t.Errorf("alice gets %+v", alice)
	}
	if bob.SliceGroup != "" || alice.SliceGroup != "art" {
		t.Errorf("slices of groups %q and %q", bob.SliceGroup, alice.SliceGroup)
	}
	if big.MemLimit != 8<<30 || big.Environment["D"] != "big" {
		t.Errorf("the profile gives %+v", big)
	}
	if _, there := big.Sandbox["PrivateTmp"]; there || big.Sandbox["SystemCallFilter"] != nil || alice.Sandbox["PrivateTmp"] != true {
		t.Error("an empty value takes a property away, in that profile alone")
	}
	if c.Spawner.MemLimit != 1<<30 || c.Spawner.Environment["B"] != "everyone" {
		t.Error("asking for a policy changed the configuration")
	}
	if p := c.Where("spawner.profile.big.mem_limit"); p.Line != 16 {
		t.Errorf("the profile's mem_limit is said to be at line %d", p.Line)
	}
}

// TestEveryMistakeIsToldAtOnce reads testdata/mistakes, in which nearly every line is wrong; the golden file is what a person is
// told.
func TestEveryMistakeIsToldAtOnceWithFileLineAndRemedy(t *testing.T) {
	for _, file := range []string{MainFile, DropInDir + "/a.toml", DropInDir + "/b.toml"} {
		// Git does not keep the group's and others' bits apart, and a umask may open them.
		if err := os.Chmod(filepath.Join("testdata/mistakes", file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Load("testdata/mistakes")
	if hub.KindOf(err) != hub.Invalid {
		t.Fatalf("Load returned %v", err)
	}
	got := strings.ReplaceAll(err.Error(), "testdata/mistakes/", "") + "\n"
	if *update {
		if err := os.WriteFile("testdata/mistakes.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile("testdata/mistakes.golden"); err != nil || string(want) != got {
		t.Errorf("the mistakes are told differently (%v); run with -update and read what changed:\n%s", err, got)
	}
}

// Vulnerability: root's helpers act on the configuration. Attack: mallory finds a drop-in that his group may write, and
// names his own program as everyone's server. Verified: such a file is refused as a whole.
func TestAFileThatOthersCanWriteIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o666, 0o664, 0o646} {
		dir := etc(t, map[string]string{DropInDir + "/mallory.toml": "[spawner]\ncmd = ['/home/mallory/server']\n"})
		file := filepath.Join(dir, DropInDir, "mallory.toml")
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), "chmod go-w "+file) {
			t.Errorf("mode %o: got %v", mode, err)
		}
	}
}

func TestUnreadableFilesAreMistakes(t *testing.T) {
	dir := etc(t, map[string]string{DropInDir + "/big.toml": "# " + strings.Repeat("x", maxFile)})
	if err := os.Symlink("/nowhere", filepath.Join(dir, DropInDir, "gone.toml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, MainFile), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	var ms Mistakes
	if !errors.As(err, &ms) || len(ms) != 3 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"is no regular file", "is larger than 1 MiB", "cannot be read: no such file"} {
		if !strings.Contains(ms[i].Text, want) {
			t.Errorf("got %q, want %q", ms[i].Text, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(Example())
	f.Add("[spawner.user.\"a.b\"]\nmem_limit = \"1G\"\n")
	f.Add("spawner = 1\nhub = [[]]\n[[culler]]\n")
	f.Add("spawner.profile = [{name='a'}, {name='b', sandbox={A=1}}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := etc(t, map[string]string{MainFile: text})
		c, err := Load(dir)
		var ms Mistakes
		if err != nil && !errors.As(err, &ms) || err == nil && c == nil {
			t.Fatalf("got %v, %v", c, err)
		}
		for _, m := range ms {
			if m.File == "" || m.Text == "" {
				t.Errorf("a mistake says too little: %+v", m)
			}
		}
	})
}
