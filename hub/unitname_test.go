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
	}
}

// The names that systemdspawner's own templates made are those that servers get, and servers that have names get theirs besides.
func TestUnitNamesByATemplate(t *testing.T) {
	own, gpu := ServerRef{User: "mary-ann"}, ServerRef{User: "mary-ann", Server: "g pu"}
	for _, c := range []struct{ template, own, gpu, named string }{
		{"jupyter-{USERNAME}-singleuser", `jupyter-mary\x2dann-singleuser`, `jupyter-mary\x2dann-singleuser-g\x20pu`, `jupyter-mary\x2dann-singleuser-.service`},
		{"jupyter-{username}.service", `jupyter-mary\x2dann`, `jupyter-mary\x2dann-g\x20pu`, `jupyter-mary\x2dann-.service`},
		{"jupyter-{SERVERNAME}-{USERNAME}", `jupyter-mary\x2dann`, `jupyter-g\x20pu-mary\x2dann`, ""},
		{"jupyter-u_{USERNAME}-s_{servername}", `jupyter-u_mary\x2dann-s_`, `jupyter-u_mary\x2dann-s_g\x20pu`, ""},
		{DefaultUnitTemplate, `jupyter-mary\x2dann`, `jupyter-mary\x2dann-g\x20pu`, `jupyter-mary\x2dann-.service`},
	} {
		names, err := ParseUnitTemplate(c.template)
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		if a, b := names.Of(own), names.Of(gpu); a != c.own+".service" || b != c.gpu+".service" {
			t.Errorf("%s makes %s and %s", c.template, a, b)
		}
		if named, is := names.Named("mary-ann"); is != (c.named != "") || is && named != c.named {
			t.Errorf("%s has %s for what is named, %t", c.template, named, is)
		}
	}
	if named, is := (UnitNames{}).Named(strings.Repeat("ü", 40)); is {
		t.Errorf("%s is said to reach what it does not", named)
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for template, says := range map[string]string{
		"":                                "begin with",
		"singleuser-{USERNAME}":           "begin with",
		"{USERNAME}":                      "begin with",
		"jupyterhub-service-{USERNAME}":   "begin with",
		"jupyter-{SERVERNAME}":            "one unit for everybody",
		"jupyter-lab":                     "one unit for everybody",
		"jupyter-{USERNAME}{SERVERNAME}":  `put a "-" between`,
		"jupyter-{USERNAME}_{SERVERNAME}": `put a "-" between`,
		"jupyter-{USERNAME}-{USERID}":     "{USERID} is a number",
		"jupyter-{USER{USERNAME}NAME}":    "alone",
		"jupyter-{USERNAME}@1":            "letters, digits",
		`jupyter-{USERNAME}\x2d`:          "letters, digits",
		"jupyter-{USERNAME}/../x":         "letters, digits",
		"jupyter-{USERNAME} x":            "letters, digits",
		"jupyter-é-{USERNAME}":            "letters, digits",
		"jupyter-" + strings.Repeat("x", 40) + "-{USERNAME}": "room for names",
	} {
		if names, err := ParseUnitTemplate(template); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v, want %q", template, names, err, says)
		}
	}
}

func TestLongUnitNamesEndInAHash(t *testing.T) {
	long := ServerRef{User: "alice", Server: strings.Repeat("ü", 40)}
	got := UnitName(long)
	if want := `jupyter-alice-\xc3\xbc\xc3\xbc\xc3\xbc\xc3\x7e7bb174d4400e0f8c.service`; got != want {
		t.Errorf("UnitName = %s, want %s", got, want)
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

// No template that is taken gives two servers one unit, nor a unit a name that is not one of ours.
func TestUnitNamesAreInjective(t *testing.T) {
	// Few letters make near misses likely.
	name := rapid.StringOfN(rapid.RuneFrom([]rune(`aAb-.~_@\/xX2dé0 `)), 0, 40, -1)
	piece := rapid.SampledFrom([]string{"-", "-", "_", "a", "x2d", ".", "{USERNAME}", "{SERVERNAME}", "0123456789abcdef"})
	rapid.Check(t, func(t *rapid.T) {
		names, err := ParseUnitTemplate("jupyter-" + strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "template"), ""))
		if err != nil {
			names = UnitNames{}
		}
		a := ServerRef{User: name.Draw(t, "user"), Server: name.Draw(t, "server")}
		b := ServerRef{User: name.Draw(t, "other user"), Server: name.Draw(t, "other server")}
		if rapid.Bool().Draw(t, "swapped") {
			b = ServerRef{User: a.Server, Server: a.User}
		}
		if a != b && names.Of(a) == names.Of(b) {
			t.Fatalf("%q and %q are both %s", a, b, names.Of(a))
		}
		checkUnitName(t, names.Of(a))
	})
}

func FuzzUnitName(f *testing.F) {
	for _, s := range []string{"", "alice", "a-b", "ü", `\x2d`, "~0123456789abcdef", strings.Repeat("-", 60), "a\x00b", "\xff"} {
		f.Add("alice", s)
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, user, server string) {
		checkUnitName(t, UnitName(ServerRef{User: user, Server: server}))
	})
}

// Whatever template is taken, names are names of ours, and one server's is not its user's other ones'.
func FuzzUnitTemplate(f *testing.F) {
	for _, s := range []string{DefaultUnitTemplate, "jupyter-{USERNAME}-singleuser", "jupyter-{servername}-{username}", "jupyter-{USERNAME}{SERVERNAME}", "jupyter-{USERID}", "x"} {
		f.Add(s, "alice", "gpu")
	}
	f.Fuzz(func(t *testing.T, template, user, server string) {
		names, err := ParseUnitTemplate(template)
		if err != nil {
			return
		}
		own, other := names.Of(ServerRef{User: user}), names.Of(ServerRef{User: user, Server: server})
		checkUnitName(t, own)
		checkUnitName(t, other)
		if (own == other) != (server == "") {
			t.Errorf("%q and %q of %q are %s and %s", "", server, user, own, other)
		}
	})
}

// checkUnitName states what holds of every name: short, of systemd's characters, and where ours are looked for.
func checkUnitName(t interface{ Fatalf(string, ...any) }, unit string) {
	if len(unit) > MaxUnitName {
		t.Fatalf("%s has %d bytes", unit, len(unit))
	}
	if bad := strings.Trim(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\"); bad != "" {
		t.Fatalf("%q holds %q", unit, bad)
	}
	if !strings.HasPrefix(unit, "jupyter-") || !strings.HasSuffix(unit, ".service") {
		t.Fatalf("%s is no name of ours", unit)
	}
}
