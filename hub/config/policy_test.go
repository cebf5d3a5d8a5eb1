package config

import (
	"maps"
	"reflect"
	"strings"
	"testing"
)

// One group decides about the slice, the last by name that wants one; nothing of another one's comes in.
func TestOneGroupDecidesAboutTheSlice(t *testing.T) {
	c, err := Load(etc(t, map[string]string{MainFile: `
[spawner.group.course]
group_slice = true
group_mem_limit = "8G"
group_cpu_weight = 50
mem_limit = "1G"
[spawner.group.staff]
group_slice = true
group_cpu_weight = 400
[spawner.group.zoo]
cpu_limit = 1.0
`}))
	if err != nil {
		t.Fatal(err)
	}
	for _, play := range []struct {
		groups []string
		slice  string
		mem    Bytes
		weight int64
	}{
		{nil, "", 0, 0}, {[]string{"zoo"}, "", 0, 0}, {[]string{"zoo", "course"}, "course", 8 << 30, 50},
		{[]string{"staff", "course"}, "staff", 0, 400}, {[]string{"course", "staff", "zoo"}, "staff", 0, 400},
	} {
		p := c.Spawner.PolicyFor("alice", play.groups, nil)
		if p.SliceGroup != play.slice || p.GroupMemLimit != play.mem || p.GroupCPUWeight != play.weight {
			t.Errorf("of %v comes %q, %s, %d", play.groups, p.SliceGroup, p.GroupMemLimit, p.GroupCPUWeight)
		}
	}
}

// JupyterHub's names for properties of the sandbox win over the table, where they are set; in the later layer as well.
func TestJupyterHubsNamesOfTheSandbox(t *testing.T) {
	c, err := Load(etc(t, map[string]string{MainFile: `
[spawner]
isolate_tmp = false
sandbox = { PrivateDevices = false }
max = { mem_limit = "8G", cpu_limit = 4 }
swap_limit = "0"
[spawner.user.alice]
isolate_tmp = true
disable_user_sudo = false
max = { mem_limit = "16G" }
swap_limit = ""
`}))
	if err != nil {
		t.Fatal(err)
	}
	bob, alice := c.Spawner.PolicyFor("bob", nil, nil), c.Spawner.PolicyFor("alice", nil, nil)
	for _, play := range []struct {
		who      string
		sandbox  map[string]any
		property string
		want     any
	}{
		{"bob", bob.Sandbox, "PrivateTmp", false}, {"bob", bob.Sandbox, "PrivateDevices", false}, {"bob", bob.Sandbox, "NoNewPrivileges", true},
		{"alice", alice.Sandbox, "PrivateTmp", true}, {"alice", alice.Sandbox, "NoNewPrivileges", false},
	} {
		if play.sandbox[play.property] != play.want {
			t.Errorf("%s has %s=%v", play.who, play.property, play.sandbox[play.property])
		}
	}
	if want := map[string]any{"mem_limit": Bytes(16 << 30), "cpu_limit": 4.0}; !reflect.DeepEqual(alice.Max, want) {
		t.Errorf("alice may ask for %v", alice.Max)
	}
	if bob.SwapLimit == nil || *bob.SwapLimit != 0 || alice.SwapLimit != nil {
		t.Errorf("swap is %v for bob, %v for alice", bob.SwapLimit, alice.SwapLimit)
	}
}

// A sandbox is named, in any table, or named and changed; what comes after it wins as ever.
func TestASandboxHasAName(t *testing.T) {
	c := load(t, `
[spawner.group.exam]
sandbox = "strict"
[spawner.user.alice]
sandbox = { base = "strict", PrivateTmp = false, ProtectClock = "" }
[spawner.user.bob]
sandbox = "default"
[[spawner.profile]]
name = "own"
sandbox = { LockPersonality = false }
`)
	strict, exam := Sandbox("strict"), []string{"exam"}
	for _, play := range []struct {
		name    string
		sandbox map[string]any
		differs map[string]any
	}{
		{"nobody in particular", c.Spawner.PolicyFor("mallory", nil, nil).Sandbox, nil},
		{"the group", c.Spawner.PolicyFor("mallory", exam, nil).Sandbox, strict},
		{"alice", c.Spawner.PolicyFor("alice", nil, nil).Sandbox, with(strict, map[string]any{"PrivateTmp": false, "ProtectClock": nil})},
		{"bob in the group", c.Spawner.PolicyFor("bob", exam, nil).Sandbox, nil},
		{"the profile in the group", c.Spawner.PolicyFor("mallory", exam, c.Spawner.ProfileNamed("own")).Sandbox, with(strict, map[string]any{"LockPersonality": false})},
	} {
		if want := with(defaultSandbox(), play.differs); !reflect.DeepEqual(play.sandbox, want) {
			t.Errorf("%s has %v, want %v", play.name, play.sandbox, want)
		}
	}
	if p := c.Where("spawner.user.alice.sandbox.RestrictRealtime"); p.Line != 5 {
		t.Errorf("what the base says stands at %+v", p)
	}
	_, err := Load(etc(t, map[string]string{MainFile: "[spawner]\nsandbox = 'strickt'\n"}))
	if err == nil || !strings.Contains(err.Error(), "\"default\", \"strict\"") {
		t.Errorf("got %v", err)
	}
}

// with returns a table with some keys changed, those of nil taken away.
func with(table, changes map[string]any) map[string]any {
	m := maps.Clone(table)
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// JupyterHub's word for devices opens them whatever of the two properties would keep them.
func TestDevicesAreShownToBeUsed(t *testing.T) {
	c := load(t, "[spawner]\nisolate_devices = false\n[spawner.user.alice]\nisolate_devices = true\n")
	shown, hidden := c.Spawner.PolicyFor("bob", nil, nil).Sandbox, c.Spawner.PolicyFor("alice", nil, nil).Sandbox
	if shown["DevicePolicy"] != nil || shown["PrivateDevices"] != false || hidden["PrivateDevices"] != true {
		t.Errorf("shown %v, hidden %v", shown, hidden)
	}
}
