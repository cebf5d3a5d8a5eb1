package hub

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUnitNamesAreSystemdsEscaping(t *testing.T) {
	for want, r := range map[string]ServerRef{
		`jupyter-alice.service`:                         {User: "alice"},
		`jupyter-alice-gpu.service`:                     {User: "alice", Server: "gpu"},
		`jupyter-mary\x2dann.service`:                   {User: "mary-ann"}, // not Mary's server "ann"
		`jupyter-mary-ann.service`:                      {User: "mary", Server: "ann"},
		`jupyter-a.b\x40example.org.service`:            {User: "a.b@example.org"},
		`jupyter-DOM\x5cbob.service`:                    {User: `DOM\bob`},
		`jupyter-alice-\x2egit.service`:                 {User: "alice", Server: ".git"},
		`jupyter-\xc3\xbcmit-\xc3\xbcbung\x201.service`: {User: "ümit", Server: "übung 1"},
		`jupyter-alice-\x2e.\x2f..\x2fetc.service`:      {User: "alice", Server: "../../etc"},
		`jupyter-alice-\x7e0123456789abcde.service`:     {User: "alice", Server: "~0123456789abcde"},
	} {
		if got := UnitName(r); got != want {
			t.Errorf("UnitName(%q) = %s, want %s", r, got, want)
		}
		if back, ok := ParseUnitName(want); !ok || back != r {
			t.Errorf("ParseUnitName(%s) = %q, %t", want, back, ok)
		}
	}
}

func TestLongUnitNamesEndInAHash(t *testing.T) {
	long := ServerRef{User: "alice", Server: strings.Repeat("ü", 40)}
	got := UnitName(long)
	if want := `jupyter-alice-\xc3\xbc\xc3\xbc\xc3\xbc\xc3\x7e7bb174d4400e0f8c.service`; got != want {
		t.Errorf("UnitName = %s, want %s", got, want)
	}
	if r, ok := ParseUnitName(got); ok {
		t.Errorf("the hash was read as %q", r)
	}
}

// Vulnerability: two servers with one unit; who starts the second stops or reads the first.
// Attack: mallory names a server as the shortened form of another one.
// Verified: that name is shortened itself.
func TestAServerCannotTakeTheShortenedNameOfAnother(t *testing.T) {
	victim := UnitName(ServerRef{User: "mallory", Server: strings.Repeat("x", 100)})
	named := strings.TrimSuffix(strings.TrimPrefix(victim, "jupyter-mallory-"), ".service")
	attack := UnitName(ServerRef{User: "mallory", Server: strings.Replace(named, `\x7e`, "~", 1)})
	if attack == victim {
		t.Errorf("both are %s", victim)
	}
}

func TestUnitNamesAreInjective(t *testing.T) {
	// Few letters make near misses likely.
	name := rapid.StringOfN(rapid.RuneFrom([]rune(`ab-.~_@\/x2dé0`)), 0, 40, -1)
	rapid.Check(t, func(t *rapid.T) {
		a := ServerRef{User: name.Draw(t, "user"), Server: name.Draw(t, "server")}
		b := ServerRef{User: name.Draw(t, "other user"), Server: name.Draw(t, "other server")}
		if a != b && UnitName(a) == UnitName(b) {
			t.Fatalf("%q and %q are both %s", a, b, UnitName(a))
		}
		checkUnitName(t, a)
	})
}

func FuzzUnitName(f *testing.F) {
	for _, s := range []string{"", "alice", "a-b", "ü", `\x2d`, "~0123456789abcdef", strings.Repeat("-", 60), "a\x00b", "\xff"} {
		f.Add("alice", s)
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, user, server string) { checkUnitName(t, ServerRef{User: user, Server: server}) })
}

func FuzzParseUnitName(f *testing.F) {
	for _, s := range []string{"jupyter-alice.service", `jupyter-a\x2db-c.service`, `jupyter-\x7E.service`, "jupyter-.service", "x", `jupyter-a\x7e0123456789abcdef.service`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, unit string) {
		if r, ok := ParseUnitName(unit); ok && UnitName(r) != unit {
			t.Errorf("%s was read as %q, which is %s", unit, r, UnitName(r))
		}
	})
}

// checkUnitName states what holds of every name: short, of systemd's characters, and back to the same server unless hashed.
func checkUnitName(t interface{ Fatalf(string, ...any) }, r ServerRef) {
	unit := UnitName(r)
	body := strings.TrimSuffix(unit, unitSuffix)
	if len(unit) > MaxUnitName {
		t.Fatalf("%s has %d bytes", unit, len(unit))
	}
	if bad := strings.Trim(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\"); bad != "" {
		t.Fatalf("%q holds %q", unit, bad)
	}
	if back, ok := ParseUnitName(unit); ok != !hashed(body) || ok && back != r {
		t.Fatalf("%q became %s became %q, %t", r, unit, back, ok)
	}
}
