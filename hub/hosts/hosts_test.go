package hosts

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func below(t *testing.T, address, hook string) Hosts {
	t.Helper()
	h, err := New(address, hook)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What the hooks of a real JupyterHub make of names is in testdata, as test/compat reads it out of one.
func TestNamesHaveTheHostsThatJupyterHubGivesThem(t *testing.T) {
	b, err := os.ReadFile("testdata/jupyterhub-6.1.1.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string][3]string
	if err := json.Unmarshal(b, &rows); err != nil || len(rows) < 30 {
		t.Fatalf("%d names, %v", len(rows), err)
	}
	// JupyterHub asks more of what stands beside a middle dot, lets a service have a label that is too long, and, with its old hook, a
	// user be where all services are.
	ours := map[string][3]string{
		"services":              {"", "", "u-services--ef1c4b4.hub.example"},
		"l·l":                   {"u-ll--18465d6.hub.example", "u-ll--18465d6--service.hub.example", "l_c2_b7l.hub.example"},
		strings.Repeat("x", 60): {"", "u-xxxxxxxx--42f2d97--service.hub.example", ""},
		strings.Repeat("x", 63): {"", "u-xxxxxxxx--75220b4--service.hub.example", ""},
	}
	idna, legacy := below(t, "https://hub.example", IDNA), below(t, "https://hub.example", Legacy)
	for name, want := range rows {
		for i, other := range ours[name] {
			if other != "" {
				want[i] = other
			}
		}
		if got := [3]string{idna.UserHost(name), idna.ServiceHost(name), legacy.UserHost(name)}; got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := legacy.ServiceHost("one"); got != "services.hub.example" {
		t.Errorf("a service is at %s", got)
	}
}

// Vulnerability: with the hook legacy all services are at one host, which a user could be called after.
// Attack: somebody has an account named so, in whatever letters, and sets cookies and scripts at that host for whoever visits a service.
// Verified: such a user is at a host that is no service's, and no other user's.
func TestNoUserIsWhereServicesAre(t *testing.T) {
	h := below(t, "https://hub.example", Legacy)
	taken := map[string]bool{h.ServiceHost("wiki"): true}
	for _, name := range []string{"services", "Services", "SERVICES"} {
		if host := h.UserHost(name); taken[host] || !isLabel(strings.TrimSuffix(host, ".hub.example"), longest) {
			t.Errorf("%s is at %s", name, host)
		} else {
			taken[host] = true
		}
	}
}

// No two names share a host, and no name has a host that is none: somebody's pages would be at somebody else's.
func TestEveryNameHasAHostOfItsOwn(t *testing.T) {
	h := below(t, "https://hub.example", IDNA)
	name := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9._@-]{1,12}`), rapid.StringN(1, 20, 80), rapid.Just("alice"), rapid.Just("ALICE"))
	rapid.Check(t, func(t *rapid.T) {
		all := map[string]string{}
		for _, n := range slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(name, 2, 20).Draw(t, "names")))) {
			for kind, host := range map[string]string{"user ": h.UserHost(n), "service ": h.ServiceHost(n)} {
				l, ok := strings.CutSuffix(host, ".hub.example")
				if !ok || !isLabel(l, longest) {
					t.Fatalf("%s%q has the host %q", kind, n, host)
				}
				if other, taken := all[host]; taken {
					t.Fatalf("%s%q and %s share %s", kind, n, other, host)
				}
				all[host] = kind + n
			}
		}
	})
}

func TestOrigins(t *testing.T) {
	for _, tt := range []struct{ address, hub, user, domain string }{
		{"", "", "", ""},
		{"https://Hub.Example", "https://hub.example", "https://alice.hub.example", "hub.example"},
		{"https://hub.example:443/", "https://hub.example", "https://alice.hub.example", "hub.example"},
		{"http://hub.example:8000", "http://hub.example:8000", "http://alice.hub.example:8000", "hub.example"},
	} {
		h := below(t, tt.address, IDNA)
		if h.Hub() != tt.hub || h.User("alice") != tt.user || h.Domain() != tt.domain || h.Apart() != (tt.hub != "") {
			t.Errorf("%q: %q %q %q", tt.address, h.Hub(), h.User("alice"), h.Domain())
		}
	}
	for _, wrong := range []string{"hub.example", "ftp://hub.example", "https://", "https://hub.example/jh/", "https://me@hub.example", "https://hub.example?x", "https://%zz"} {
		if h, err := New(wrong, IDNA); err == nil {
			t.Errorf("%q is taken: %+v", wrong, h)
		}
	}
}

func TestWhichHostsAreOurs(t *testing.T) {
	h := below(t, "https://hub.example:8443", IDNA)
	for host, want := range map[string][2]bool{ // the hub's, one of ours
		"hub.example:8443": {true, true}, "HUB.example:8443": {true, true}, "hub.example": {true, false}, "hub.example.:8443": {true, false},
		"alice.hub.example:8443": {false, true}, "a.b.hub.example:8443": {false, true}, "alice.hub.example": {false, false},
		"evilhub.example:8443": {false, false}, "hub.example.evil.test:8443": {false, false}, "": {false, false}, "127.0.0.1:8443": {false, false},
		"[::1]:8443": {false, false},
	} {
		if got := [2]bool{h.IsHub(host), h.Ours(host)}; got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	if one := (Hosts{}); one.Ours("") || one.Ours("hub.example") {
		t.Error("where there is one host, no other is ours")
	}
}
