package launcher

import (
	"encoding/hex"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"jupyterhubd/hub"
)

// A unit is looked at when a change tells what the picture does not show, or does not say enough to know.
func TestWhatThePictureShowsIsNotLookedAtAgain(t *testing.T) {
	const run = "0123456789abcdef0123456789abcdef"
	id, err := hex.DecodeString(run)
	if err != nil {
		t.Fatal(err)
	}
	r := newRoster(time.Now)
	ref := hub.ServerRef{User: "alice"}
	r.update(hub.Unit{ServerRef: ref, Name: hub.UnitName(ref), State: hub.UnitActive, Invocation: run}, "", Choice{}, promise{})
	for _, play := range []struct {
		what    string
		unit    string
		changed map[string]any
		shown   bool
	}{
		{"nothing new", hub.UnitName(ref), map[string]any{"ActiveState": "active", "InvocationID": id, "FreezerState": "running"}, true},
		{"a reload, which is active to us", hub.UnitName(ref), map[string]any{"ActiveState": "reloading", "InvocationID": id, "FreezerState": "running"}, true},
		{"it ends", hub.UnitName(ref), map[string]any{"ActiveState": "deactivating", "InvocationID": id, "FreezerState": "running"}, false},
		{"it is gone", hub.UnitName(ref), map[string]any{"ActiveState": "inactive", "InvocationID": id, "FreezerState": "running"}, false},
		{"it runs anew", hub.UnitName(ref), map[string]any{"ActiveState": "active", "InvocationID": make([]byte, 16), "FreezerState": "running"}, false},
		{"an admin froze it", hub.UnitName(ref), map[string]any{"ActiveState": "active", "InvocationID": id, "FreezerState": "frozen"}, false},
		{"half a word", hub.UnitName(ref), map[string]any{"ActiveState": "active"}, false},
		{"a stranger", "jupyter-bob.service", map[string]any{"ActiveState": "active", "InvocationID": id, "FreezerState": "running"}, false},
	} {
		u := &sd.PropertiesUpdate{UnitName: play.unit, Changed: map[string]dbus.Variant{}}
		for name, value := range play.changed {
			u.Changed[name] = dbus.MakeVariant(value)
		}
		if got := r.shows(u); got != play.shown {
			t.Errorf("%s: shown is %v", play.what, got)
		}
	}
}

// Releases of systemd are read by the number that they begin with, whatever a distribution adds.
func TestTheVersionOfSystemd(t *testing.T) {
	for text, want := range map[string]int{
		"252.38-1~deb12u1": 252, "258~rc1": 258, "257": 257, "v256": 0, "": 0, "249.11-0ubuntu3.12": 249,
	} {
		if got := leadingNumber(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}
