package system

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

const profiles = `
[spawner]
cmd = ["probe-singleuser"]
mem_limit = "512M"
[spawner.group.course]
tasks_max = 222
[spawner.user.alice]
cpu_limit = 1.0
[[spawner.profile]]
name = "sized"
display_name = "Of a size"
default = true
environment = { KIND = "sized" }
[spawner.profile.profile_options.memory.range]
least = 1
most = 3
step = 1
mem_limit = "{value}G"
[spawner.profile.profile_options.tag.choices.stable]
environment = { TAG = "stable" }
[spawner.profile.profile_options.tag.unlisted_choice]
pattern = "v[0-9]+"
environment = { TAG = "{value}" }
[[spawner.profile]]
name = "course"
allowed_groups = ["course"]
`

// What a group, a user, a profile and the answers to its options say is in the unit, and an explanation names the lines.
func TestLayersReachTheUnitAndAreExplained(t *testing.T) {
	s := onStage(t)
	s.run("groupadd", "--force", "course")
	s.run("usermod", "--append", "--groups", "course", "alice")
	s.afterwards("gpasswd", "--delete", "alice", "course")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure(profiles)
	s.put("/etc/systemd/system/jupyter-alice.service.d/50-play.conf", "[Service]\nNice=4\n", 0o644)
	s.afterwards("rm", "-r", "/etc/systemd/system/jupyter-alice.service.d")
	root := s.rootside()

	for user, want := range map[string][]string{"alice": {"sized", "course"}, "bob": {"sized"}} {
		offers, err := root.Profiles(s.ctx, user)
		var names []string
		for _, o := range offers {
			names = append(names, o.Name)
		}
		if err != nil || !slices.Equal(names, want) || !offers[0].Default {
			t.Errorf("%s is offered %+v, %v", user, offers, err)
		}
	}
	options := json.RawMessage(`{"memory": 2, "tag": "v7", "cmd": ["/bin/sh"]}`)
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: options}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	unit := s.unit(alice)
	for property, want := range map[string]string{"MemoryMax": "2147483648", "TasksMax": "222", "CPUQuotaPerSecUSec": "1s", "Nice": "4"} {
		if got := s.property(unit.Name, property); got != want {
			t.Errorf("%s is %s, want %s", property, got, want)
		}
	}
	if out := s.can(alice, "echo $KIND $TAG"); out != "sized v7" {
		t.Errorf("the server is told %q", out)
	}
	// What she chose is known of a unit that runs: a limit goes back to it.
	if got, err := root.Limit(s.ctx, alice, nil, false); err != nil || got.MemoryMax != 2<<30 {
		t.Errorf("given back: %+v, %v", got, err)
	}

	explained, err := root.Explain(s.ctx, alice, "", options)
	if err != nil {
		t.Fatal(err)
	}
	const file = "/etc/jupyterhub/jupyterhub.toml.d/70-play.toml:"
	for name, want := range map[string]string{
		"MemoryMax": "2147483648 " + file + "18", "TasksMax": "222 " + file + "6", "CPUQuota": "100% " + file + "8",
		"PrivateTmp": "yes default", "Type": "exec jupyterhub-spawnd", "Nice": "4 /etc/systemd/system/jupyter-alice.service.d/50-play.conf:2",
	} {
		at := slices.IndexFunc(explained.Properties, func(p hub.Provided) bool { return p.Name == name })
		if at < 0 || explained.Properties[at].Value+" "+explained.Properties[at].Origin != want {
			t.Errorf("%s is explained by %+v, want %s", name, explained.Properties[max(at, 0)], want)
		}
	}
	if explained.Profile != "sized" || explained.Unit != unit.Name || !strings.Contains(strings.Join(explained.Command, " "), "probe-singleuser") {
		t.Errorf("explained is %+v", explained)
	}
	for _, wrong := range []string{`{"memory": 4}`, `{"tag": "latest"}`, `{"tag": "v1\n"}`} {
		if _, err := root.Start(s.ctx, bob, "sized", json.RawMessage(wrong)); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := root.Explain(s.ctx, bob, "course", nil); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("bob and others' profile: %v", err)
	}
}
