package config

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that are made from the table of options")

// TestFilesMadeFromTheTable holds the example file, the reference and the man page to the table that the code uses.
func TestFilesMadeFromTheTable(t *testing.T) {
	for file, want := range map[string]string{
		"../../etc/jupyterhub/jupyterhub.toml": Example(),
		"../../docs/configuration.md":          Reference(),
		"../../docs/man/jupyterhub.toml.5":     Man(),
	} {
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the table says (%v); run: go test ./hub/config -update", file, err)
		}
	}
}

func TestTheExampleLoadsToItsShippedLines(t *testing.T) {
	c := load(t, Example())
	changes := Changes(Default(), c)
	if len(changes) != 2 || changes[0].Path != "authenticator.allow_all" || changes[1].Path != "authenticator.admin_groups" {
		t.Errorf("the example changes %v", changes)
	}
}

// TestEveryCommentedLineIsTheDefault takes away every "#" before a key: what is shown as the default must be it.
func TestEveryCommentedLineIsTheDefault(t *testing.T) {
	text := Example()
	for _, tail := range exampleTails {
		text = strings.ReplaceAll(text, tail, "")
	}
	text = regexp.MustCompile(`(?m)^#([A-Za-z_]+ = )`).ReplaceAllString(text, "$1")
	shipped, all := load(t, Example()), load(t, text)
	if changes := Changes(shipped, all); len(changes) > 0 {
		t.Errorf("taking the comments away changes %v", changes)
	}
	for _, s := range Sections() {
		for _, o := range s.Options {
			if s.Name == "hub" && all.Where("hub."+o.Key).Line == 0 {
				t.Errorf("%s.%s is not in the example", s.Name, o.Key)
			}
		}
	}
}

func TestEveryOptionIsDocumented(t *testing.T) {
	for _, s := range Sections() {
		for _, o := range s.Options {
			if o.Doc == "" || !strings.HasSuffix(o.Doc, ".") || strings.Contains(o.Doc, "\n") {
				t.Errorf("%s.%s: one line that ends in a full stop documents an option: %q", s.Name, o.Key, o.Doc)
			}
		}
	}
}

func TestShownSettingsLoadAgain(t *testing.T) {
	c := load(t, `
[spawner]
mem_limit = "1536M"
environment = { "LC_ALL" = "C", Q = "a \"quoted\" \\ value" }
[spawner.group."domain users"]
cpu_limit = 0.5
[[hub.load_roles]]
name = "token"
users = ["alice"]
[[hub.load_roles]]
name = "grader.two"
scopes = []
[hub.custom_scopes."custom:wiki:read"]
description = "read the wiki"
[hub.load_groups."class 1"]
properties = { level = 3, tags = ["a", "b"], deep = { more = [{ x = 1.5 }] } }
[[hub.services]]
name = "wiki"
url = "http://127.0.0.1:9000"
info = { owner = "alice" }
[spawner.user."alice.b"]
args = ["--x", "tab\t"]
[[spawner.profile]]
name = "gpu"
tasks_max = 0
[spawner.profile.sandbox]
PrivateDevices = false
[spawner.profile.profile_options.size.choices.small]
mem_limit = "1G"
[spawner.profile.profile_options.size.unlisted_choice]
environment = { SIZE = "{value}" }
[spawner.profile.profile_options.cores.range]
least = 1
most = 2
cpu_limit = "{value}"
`)
	var shown strings.Builder
	if err := WriteTOML(&shown, c.Settings()); err != nil {
		t.Fatal(err)
	}
	if changes := Changes(c, load(t, shown.String())); len(changes) > 0 {
		t.Errorf("shown and loaded again, it differs: %v\n%s", changes, shown.String())
	}
	if !regexp.MustCompile(`(?m)^mem_limit = "1536M" +# .*jupyterhub.toml:3$`).MatchString(shown.String()) {
		t.Errorf("the place of mem_limit is not shown:\n%s", shown.String())
	}
}

func TestChangesAreSentences(t *testing.T) {
	old := load(t, "[spawner]\nmem_limit='2G'\n[spawner.user.alice]\ncpu_limit=1.0\n")
	new := load(t, "[hub]\nbase_url='/x/'\nshutdown_on_logout=true\n[spawner]\nmem_limit='4G'\n[spawner.group.g]\ntasks_max=100\n")
	var got []string
	for _, c := range Changes(old, new) {
		got = append(got, c.String())
	}
	want := []string{
		`hub.base_url: "/" is now "/x/", after a restart of the service`,
		`hub.shutdown_on_logout: false is now true`,
		`spawner.mem_limit: "2G" is now "4G", from a server's next start`,
		`spawner.group.g.tasks_max: set to 100, from a server's next start`,
		`spawner.user.alice.cpu_limit: no longer set, from a server's next start`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if hub := Changes(old, new, "hub"); len(hub) != 2 {
		t.Errorf("the hub's changes are %v", hub)
	}
}

// What waits for a restart stays as it runs, whatever else a reload takes over; the file is still different from it.
func TestWhatWaitsForARestartIsHeld(t *testing.T) {
	running := load(t, "[hub]\nbase_url='/old/'\ncookie_max_age_days=3.0\n")
	next := load(t, "[hub]\nbase_url='/new/'\npublic_url='https://x.example/new/'\nhub_connect_url='http://127.0.0.1:9'\n[spawner]\nmem_limit='4G'\n")
	held := Held(running, next)
	if held.Hub.BaseURL != "/old/" || held.Hub.PublicURL != "" || held.Hub.HubConnectURL != running.Hub.HubConnectURL {
		t.Errorf("not held: %+v", held.Hub)
	}
	if held.Hub.CookieMaxAgeDays != next.Hub.CookieMaxAgeDays || held.Spawner.Policy.MemLimit != next.Spawner.Policy.MemLimit {
		t.Errorf("held as well: %+v", held.Hub)
	}
	if next.Hub.BaseURL != "/new/" || len(Changes(held, next)) != 3 {
		t.Errorf("what is to come is %v", Changes(held, next))
	}
}
