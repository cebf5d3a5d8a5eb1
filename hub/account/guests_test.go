package account

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

var visitors = Guests{Names: []string{"guest-*", "*@guests.example.org", "visitor"}, Groups: []string{"guests"}}

func TestWhoIsAGuest(t *testing.T) {
	for typed, want := range map[string]string{
		"guest-1": "guest-1", "GUEST-1": "guest-1", "visitor": "visitor", "ann@guests.example.org": "ann@guests.example.org",
		"guest-": "", "guest": "", "alice": "", "visitors": "", "@guests.example.org": "", "guest-a/b": "", "guest-a b": "", "guest-\u00e9": "",
		"guest-\u212a":                     "guest-k", // the Kelvin sign, whose small letter is k
		"guest-" + strings.Repeat("x", 59): "", "": "",
	} {
		if got, ok := visitors.Spelled(typed); ok != (want != "") || ok && got != want {
			t.Errorf("%q is %q, %v; want %q", typed, got, ok, want)
		}
		if visitors.Known(typed) != (want == typed && want != "") {
			t.Errorf("%q is known: %v", typed, visitors.Known(typed))
		}
	}
	if _, ok := (Guests{}).Spelled("guest-1"); ok {
		t.Error("where nothing is said there are guests")
	}
}

func TestGuestsByTheRules(t *testing.T) {
	r := Rules{BlockedUsers: []string{"guest-7"}, Guests: visitors}
	if a, err := r.Guest("guest-1"); err != nil || !a.Guest || a.Name != "guest-1" || a.UID != hub.NoUID || len(a.Groups) != 1 || a.Groups[0] != "guests" {
		t.Errorf("%+v, %v", a, err)
	}
	for name, want := range map[string]hub.Kind{"guest-7": hub.Forbidden, "alice": hub.NotFound, "GUEST-1": hub.NotFound} {
		if a, err := r.Guest(name); hub.KindOf(err) != want || a.Name != "" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if err := r.AdmitName("guest-1"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"guest-7", "alice"} {
		if err := r.AdmitName(name); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzGuests looks at what strangers type as a guest's name: whatever is taken is safe in a path, a log and a line of the name service,
// and has one spelling.
func FuzzGuests(f *testing.F) {
	for _, s := range []string{"guest-1", "GUEST-\u0130", "guest-\n", "ann@guests.example.org", "guest-" + strings.Repeat("x", 99)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name, ok := visitors.Spelled(typed)
		if !ok {
			return
		}
		if again, ok := visitors.Spelled(name); !ok || again != name || !visitors.Known(name) {
			t.Errorf("%q is %q, and that is %q", typed, name, again)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._@-") != "" || len(name) > 64 || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
			t.Errorf("%q is taken as %q", typed, name)
		}
	})
}
