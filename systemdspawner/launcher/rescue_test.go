package launcher

import (
	"testing"

	"jupyterhubd/hub"
)

// Vulnerability: a profile that everybody has lets somebody out of their limits.
// Attack: mallory, who has less than the rescue server gives, asks for it.
// Verified: it gives nobody more than they have, and leaves the sandbox as it is.
func TestTheRescueServerIsWeakerInEveryWay(t *testing.T) {
	small := Settings{Command: []string{"x"}, MemLimit: 64 << 20, CPULimit: 0.5, TasksMax: 40, Environment: map[string]string{"LANG": "C"},
		Sandbox: map[string]any{"PrivateTmp": true}}
	policy := &Policy{Settings: func(who Person, _ Choice) (Settings, error) {
		if who.User == "mallory" {
			return small, nil
		}
		return Settings{Command: []string{"x"}, MemGuarantee: 1 << 30, CPUGuarantee: 1, Max: hub.Limits{MemoryMax: 1 << 40}}, nil
	}}
	got, _, err := policy.settingsFor(Person{User: "mallory"}, Choice{Profile: hub.RescueProfile})
	if err != nil || got.MemLimit != small.MemLimit || got.CPULimit != small.CPULimit || got.TasksMax != small.TasksMax || len(got.Sandbox) != 1 {
		t.Errorf("mallory gets %+v, %v", got, err)
	}
	if !got.DisableUserConfig || got.Environment["LANG"] != "C" || got.Environment["JUPYTER_RUNTIME_DIR"] == "" || len(small.Environment) != 1 {
		t.Errorf("it is no rescue: %+v", got.Environment)
	}
	got, _, err = policy.settingsFor(Person{User: "alice"}, Choice{Profile: hub.RescueProfile})
	if err != nil || got.MemLimit != rescueMemory || got.CPULimit != rescueCPU || got.TasksMax != rescueTasks ||
		got.MemGuarantee != 0 || got.CPUGuarantee != 0 || !got.Max.IsZero() {
		t.Errorf("alice gets %+v, %v", got, err)
	}
	policy.Profiles = []Profile{{Offer: hub.Offer{Name: hub.RescueProfile}, AllowedUsers: []string{"bob"}}}
	if _, _, err := policy.settingsFor(Person{User: "alice"}, Choice{Profile: hub.RescueProfile}); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("root's file keeps the profile from alice, and she is told %v", err)
	}
}

func TestRoom(t *testing.T) {
	if isFull(t.TempDir()) || isFull("") || isFull("/nowhere") {
		t.Error("a directory with room, or none at all, is no full one")
	}
}
