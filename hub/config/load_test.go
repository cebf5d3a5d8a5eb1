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

// mistakes loads files that are wrong, and returns what is said, without the directory's name.
func mistakes(t *testing.T, files map[string]string) []string {
	t.Helper()
	dir := etc(t, files)
	_, err := Load(dir)
	var ms Mistakes
	if !errors.As(err, &ms) {
		t.Fatalf("Load returned %v, not mistakes", err)
	}
	if hub.KindOf(err) != hub.Invalid {
		t.Errorf("kind %v, want invalid", hub.KindOf(err))
	}
	var lines []string
	for _, m := range ms {
		lines = append(lines, strings.ReplaceAll(m.String(), dir+"/", ""))
	}
	return lines
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
	if s.Sandbox["PrivateTmp"] != false || s.Sandbox["PrivateDevices"] != true {
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
sandbox = { PrivateDevices = "", SystemCallFilter = [] }
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
	if _, there := big.Sandbox["PrivateDevices"]; there || big.Sandbox["SystemCallFilter"] != nil || alice.Sandbox["PrivateDevices"] != true {
		t.Error("an empty value takes a property away, in that profile alone")
	}
	if c.Spawner.MemLimit != 1<<30 || c.Spawner.Environment["B"] != "everyone" {
		t.Error("asking for a policy changed the configuration")
	}
	if p := c.Where("spawner.profile.big.mem_limit"); p.Line != 16 {
		t.Errorf("the profile's mem_limit is said to be at line %d", p.Line)
	}
}

func TestEveryMistakeIsToldAtOnceWithFileLineAndRemedy(t *testing.T) {
	got := mistakes(t, map[string]string{
		MainFile: `# a comment
mem_limit = "1G"

[hub]
base_url = "jupyter"
cookie_max_age_days = "14"
port = 8000

[spawnr]
x = 1

[spawner]
mem_limt = "2G"
cpu_limit = "2"
mem_limit = "2GB"
tasks_max = 3
cmd = []
environment = { PATH = "/bin", JUPYTERHUB_USER = "bob" }
timeout = 3
group_slice = true
[spawner.group.students]
start_timeout = 5
mem_limit = -1
[[spawner.profile]]
name = "gpu"
[[spawner.profile]]
name = "gpu"
device_allow = [
  # a list over several lines
  "nvidia",
]
[[spawner.profile]]
description = "nameless"
`,
		DropInDir + "/a.toml": "[proxy]\ntls_key = '/k'\ntrusted_proxies = ['10.0.0.0/8', 'localhost']\n[culler]\ncull_every = 300\ntimeout = true\n",
		DropInDir + "/b.toml": "[hub]\nbase_url = /\n",
	})
	want := []string{
		`jupyterhub.toml:2: mem_limit: stands outside every table; it belongs in [spawner]`,
		`jupyterhub.toml:5: hub.base_url: is "jupyter"; it wants a path that begins and ends with a slash, such as "/" or "/jupyter/"`,
		`jupyterhub.toml:6: hub.cookie_max_age_days: is the string "14"; it wants a number such as 2.0, without quotes`,
		`jupyterhub.toml:7: hub.port: ` + proxySocket,
		`jupyterhub.toml:9: spawnr: is no table of this file; did you mean [spawner]?`,
		`jupyterhub.toml:13: spawner.mem_limt: is no key of [spawner]; did you mean mem_limit?`,
		`jupyterhub.toml:14: spawner.cpu_limit: is the string "2"; it wants a number such as 2.0, without quotes`,
		`jupyterhub.toml:15: spawner.mem_limit: "2GB" is no size; write a number and K, M, G or T, such as "2G"`,
		`jupyterhub.toml:16: spawner.tasks_max: is 3; it wants 32 or more, or 0 for none`,
		`jupyterhub.toml:17: spawner.cmd: is empty; it wants a command, such as ["jupyterhub-singleuser"]`,
		`jupyterhub.toml:18: spawner.environment: sets JUPYTERHUB_USER; the hub sets JUPYTERHUB_* itself: remove it`,
		`jupyterhub.toml:19: spawner.timeout: belongs in [culler]; move it there`,
		`jupyterhub.toml:20: spawner.group_slice: has a meaning in [spawner.group.NAME] alone; move it there`,
		`jupyterhub.toml:22: spawner.group.students.start_timeout: cannot be set for a group, a user or a profile; it belongs in [spawner]`,
		`jupyterhub.toml:23: spawner.group.students.mem_limit: is negative; it wants a size such as "2G", or 0 for no limit`,
		`jupyterhub.toml:27: spawner.profile[1].name: is "gpu", as another profile's is; give it a name of its own`,
		`jupyterhub.toml:28: spawner.profile[1].device_allow: entry "nvidia" is no device; it wants a path such as "/dev/nvidia*", or a class such as "char-drm"`,
		`jupyterhub.toml:32: spawner.profile[2]: has no name; add one such as name = "gpu"`,
		`jupyterhub.toml.d/a.toml:2: proxy.tls_key: is set without tls_certificate; a certificate and its key go together`,
		`jupyterhub.toml.d/a.toml:3: proxy.trusted_proxies: entry "localhost" is no address; it wants one such as "10.0.0.5", or a network such as "10.0.0.0/8"`,
		`jupyterhub.toml.d/a.toml:5: culler.cull_every: ` + cullTimer,
		`jupyterhub.toml.d/a.toml:6: culler.timeout: is true; it wants a span of time such as "90s" or "1h"`,
	}
	if len(got) != len(want)+1 {
		t.Fatalf("%d mistakes, want %d:\n%s", len(got), len(want)+1, strings.Join(got, "\n"))
	}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("got  %s\nwant %s", got[i], w)
		}
	}
	if !strings.HasPrefix(got[len(want)], "jupyterhub.toml.d/b.toml:2: is no TOML: ") {
		t.Errorf("the syntax error is told as %s", got[len(want)])
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
