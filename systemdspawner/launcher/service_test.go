package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/varlink"
)

// policyOf admits the cast, except mallory.
func policyOf(command string) *Policy {
	return &Policy{
		Rules:        account.Rules{AllowAll: true, BlockedUsers: []string{"mallory"}, MinUID: 1000},
		StartTimeout: time.Minute,
		Profiles: []Profile{
			{Offer: hub.Offer{Name: "gpu"}, AllowedGroups: []string{"gpu"}}, {Offer: hub.Offer{Name: "plain"}},
			{Offer: hub.Offer{Name: "hers"}, AllowedUsers: []string{"alice"}},
		},
		Settings: func(Person, Choice) (Settings, error) {
			return Settings{Command: []string{command}}, nil
		},
		Programs: []Program{{Table: "spawner", Command: []string{command}}},
	}
}

// names is the name service of the cast. ALICE is a second name of alice's.
func names(_ context.Context, name string, _ bool) (hub.Account, error) {
	for _, a := range []hub.Account{alice, bob, mallory, {Name: "root", Home: "/root"}, {Name: "daemon", UID: 1, Home: "/"},
		{Name: "nobody", UID: 65534, Home: "/nonexistent"}, {Name: "homeless", UID: 1002}} {
		if strings.EqualFold(a.Name, name) {
			return a, nil
		}
	}
	if _, err := account.Clean(name); err != nil {
		return hub.Account{}, err
	}
	return hub.Account{}, hub.Errorf(hub.NotFound, "there is no such account")
}

// withoutSystemd is a launcher whose picture of what runs is whole and that has no connection to systemd: whatever is
// refused by it, was refused before systemd was asked.
func withoutSystemd(t *testing.T, command string) *Launcher {
	t.Helper()
	layout := DefaultLayout()
	layout.Sockets = t.TempDir()
	l, err := New(Options{
		Load:   func(*Policy) (*Policy, []string, error) { return policyOf(command), nil, nil },
		Lookup: names, Layout: layout, Now: time.Now,
		Report: func(doing, unit string, err error) { t.Logf("%s %s: %v", doing, unit, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.eyes.file.Close() })
	l.roster.redrawn("boot")
	return l
}

// knock serves a launcher's door and returns a connection to it.
func knock(t *testing.T, l *Launcher) *varlink.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "door")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	service := &varlink.Service{Interfaces: []varlink.Interface{l.Interface()}}
	go func() { done <- service.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	c, err := varlink.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Vulnerability: a hub that was taken over asks root's side for more than root allows.
// Attack: system accounts, other spellings, unknown and blocked people, other people's profiles, paths for names.
// Verified: each is refused with its kind and cause, before systemd hears of it.
func TestATakenOverHubStartsNothingForOthers(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	for name, c := range map[string]struct {
		user, server, profile string
		kind                  hub.Kind
		cause                 hub.CauseKind
	}{
		"root":               {"root", "", "", hub.Forbidden, hub.CauseAccount},
		"a system account":   {"daemon", "", "", hub.Forbidden, hub.CauseAccount},
		"nobody":             {"nobody", "", "", hub.Forbidden, hub.CauseAccount},
		"who is blocked":     {"mallory", "", "", hub.Forbidden, hub.CauseAccount},
		"another spelling":   {"ALICE", "", "", hub.Forbidden, hub.CauseAccount},
		"who does not exist": {"eve", "", "", hub.NotFound, hub.CauseAccount},
		"a number":           {"0", "", "", hub.Invalid, hub.CauseAccount},
		"no name":            {"", "", "", hub.Invalid, hub.CauseAccount},
		"an option":          {"-s", "", "", hub.Invalid, hub.CauseAccount},
		"no home":            {"homeless", "", "", hub.Unknown, hub.CauseMissingHome},
		"a path":             {"alice", "../bob", "", hub.Invalid, ""},
		"a long name":        {"alice", strings.Repeat("x", 256), "", hub.Invalid, ""},
		"an invisible name":  {"alice", "a\u202eb", "", hub.Invalid, ""},
		"a line":             {"alice", "a\nUser=root", "", hub.Invalid, ""},
		"no such profile":    {"alice", "", "root", hub.Invalid, ""},
		"others' profile":    {"alice", "", "gpu", hub.Forbidden, ""},
		"her profile":        {"bob", "", "hers", hub.Forbidden, ""},
	} {
		in := map[string]any{"user": c.user, "server": c.server, "profile": c.profile}
		err := knock(t, l).Call(t.Context(), "org.jupyterhub.Spawner.Start", in, nil)
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != c.kind || c.cause != "" && (e.Cause == nil || e.Cause.Kind != c.cause) {
			t.Errorf("%s: %#v", name, err)
		}
		if strings.Contains(err.Error(), "/") {
			t.Errorf("%s: the text for people holds a path: %v", name, err)
		}
	}
	if alive := l.roster.alive(); len(alive) != 0 {
		t.Errorf("something was begun: %v", alive)
	}
}

// Vulnerability: parameters that nobody thought of.
// Attack: commands, uids, properties, environment beside a good request.
// Verified: the whole request is refused.
func TestTheDoorTakesNothingButNames(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	for _, extra := range []string{"command", "cmd", "uid", "properties", "environment", "sandbox", "unit", "slice", "limits", "for_good", "mem_limit"} {
		in := map[string]any{"user": "alice", "server": "", extra: "x"}
		for _, verb := range []string{"Start", "Stop", "Journal"} {
			if err := knock(t, l).Call(t.Context(), "org.jupyterhub.Spawner."+verb, in, nil); hub.KindOf(err) != hub.Invalid {
				t.Errorf("%s with %s: %v", verb, extra, err)
			}
		}
	}
	for _, verb := range []string{"List", "Watch", "Usage", "Check", "CheckConfiguration", "Reload"} {
		if err := knock(t, l).Call(t.Context(), "org.jupyterhub.Spawner."+verb, map[string]any{"user": "alice"}, nil); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s with a parameter: %v", verb, err)
		}
	}
	for _, options := range []any{"x", []int{1}, 5, strings.Repeat("x", maxOptions+1)} {
		in := map[string]any{"user": "alice", "server": "", "options": options}
		if err := knock(t, l).Call(t.Context(), "org.jupyterhub.Spawner.Start", in, nil); hub.KindOf(err) != hub.Invalid && hub.KindOf(err) != hub.TooLarge {
			t.Errorf("options %.20v: %v", options, err)
		}
	}
}

func TestAGoodRequestGetsAsFarAsSystemd(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	in := map[string]any{"user": "alice", "server": "", "profile": "plain", "options": map[string]any{"profile": "plain"}}
	err := knock(t, l).Call(t.Context(), "org.jupyterhub.Spawner.Start", in, nil)
	if hub.KindOf(err) != hub.Unavailable || hub.TextOf(err) != notConnected {
		t.Errorf("got %v", err)
	}
}

func TestAMissingCommandIsTheAdminsToKnowInDetail(t *testing.T) {
	l := withoutSystemd(t, "jupyterhub-singleuser")
	err := knock(t, l).Call(t.Context(), "org.jupyterhub.Spawner.Start", hub.ServerRef{User: "alice"}, nil)
	var e *hub.Error
	if !errors.As(err, &e) || e.Cause == nil || e.Cause.Kind != hub.CauseMissingCommand || !strings.Contains(e.Cause.Detail, "search_path") {
		t.Errorf("got %#v", err)
	}
}

func TestAnEmptyPictureIsNotToldBeforeAnybodyLooked(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	l.roster = newRoster(time.Now)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if list, err := l.roster.list(ctx); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("told %v, %v", list, err)
	}
}

func TestWithoutAServerStopIsDoneAndItsJournalIsEmpty(t *testing.T) {
	c := knock(t, withoutSystemd(t, "/usr/bin/true"))
	if err := c.Call(t.Context(), "org.jupyterhub.Spawner.Stop", hub.ServerRef{User: "alice"}, nil); err != nil {
		t.Error(err)
	}
	var out struct{ Lines []string }
	in := map[string]any{"user": "alice", "server": "", "lines": 10}
	if err := c.Call(t.Context(), "org.jupyterhub.Spawner.Journal", in, &out); err != nil || out.Lines == nil || len(out.Lines) > 0 {
		t.Errorf("%v, %v", out, err)
	}
	in["lines"] = maxLines + 1
	if err := c.Call(t.Context(), "org.jupyterhub.Spawner.Journal", in, nil); hub.KindOf(err) != hub.Invalid {
		t.Errorf("too many lines: %v", err)
	}
}

func TestAReloadWithMistakesChangesNothing(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	before := l.policy.Load()
	l.o.Load = func(*Policy) (*Policy, []string, error) {
		return nil, nil, errors.New("jupyterhub.toml:3: spawner.cmd: no")
	}
	c := knock(t, l)
	for _, verb := range []string{"Reload", "CheckConfiguration"} {
		if err := c.Call(t.Context(), "org.jupyterhub.Spawner."+verb, nil, nil); !strings.Contains(hub.TextOf(err), "toml:3") {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if l.policy.Load() != before {
		t.Error("the policy is another one")
	}
	l.o.Load = func(*Policy) (*Policy, []string, error) { return policyOf("/bin/sh"), []string{"spawner.cmd"}, nil }
	var out struct{ Changes []string }
	if err := c.Call(t.Context(), "org.jupyterhub.Spawner.Reload", nil, &out); err != nil || len(out.Changes) != 1 || l.policy.Load() == before {
		t.Errorf("%v, %v", out, err)
	}
}

// A question to the name service is a child process: groups are asked for only where a rule could name one.
func TestGroupsAreAskedForWhereTheyMatter(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Policy)
		want   bool
	}{
		"no rule":               {func(*Policy) {}, false},
		"[spawner.group.X]":     {func(p *Policy) { p.GroupSettings = true }, true},
		"allowed_groups":        {func(p *Policy) { p.Rules.AllowedGroups = []string{"staff"} }, true},
		"a profile for a group": {func(p *Policy) { p.Profiles = []Profile{{AllowedGroups: []string{"gpu"}}} }, true},
	} {
		l, asked := withoutSystemd(t, "/usr/bin/true"), []bool{}
		policy := policyOf("/usr/bin/true")
		policy.Profiles = nil
		c.change(policy)
		l.policy.Store(policy)
		l.o.Lookup = func(ctx context.Context, name string, groups bool) (hub.Account, error) {
			asked = append(asked, groups)
			return names(ctx, name, groups)
		}
		if _, err := l.order(t.Context(), hub.ServerRef{User: "alice"}, Choice{}); err != nil || !slices.Equal(asked, []bool{c.want}) {
			t.Errorf("%s: asked %v, %v", name, asked, err)
		}
	}
}

// A program of each user's own is looked up as it is theirs, in directories that root alone can write, as any other.
func TestTheProgramCanBeOfTheUsersOwn(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/{USERNAME}")
	l.policy.Store(policyOf("/{username}/bin/true"))
	if _, err := l.order(t.Context(), hub.ServerRef{User: "alice"}, Choice{}); err == nil || !strings.Contains(err.Error(), "/alice/bin/true") {
		t.Errorf("looked up is another: %v", err)
	}
	l.o.Lookup = func(context.Context, string, bool) (hub.Account, error) {
		return hub.Account{Name: "bob", UID: 1001, Home: "/usr"}, nil
	}
	l.policy.Store(policyOf("{home}/bin/true"))
	if o, err := l.order(t.Context(), hub.ServerRef{User: "bob"}, Choice{}); err != nil || o.Command != "/usr/bin/true" {
		t.Errorf("%+v, %v", o.Command, err)
	}
	if findings := (Program{Table: "spawner", Command: []string{"/opt/{USERNAME}/start"}}).check(); len(findings) != 0 {
		t.Errorf("what is each user's own is said to be missing: %q", findings)
	}
}

// TestRandomRequestsNeverPassTheRules throws anything at Start: what comes through names alice or bob, exactly.
func TestRandomRequestsNeverPassTheRules(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	ctx := t.Context()
	words := rapid.SampledFrom([]string{"alice", "bob", "root", "ALICE", "alice ", "daemon", "mallory", "gpu", "hers", "plain",
		"", "\x00", "a/b"})
	rapid.Check(t, func(t *rapid.T) {
		user, server, profile := words.Draw(t, "user"), words.Draw(t, "server"), words.Draw(t, "profile")
		o, err := l.order(ctx, hub.ServerRef{User: user, Server: server}, Choice{Profile: profile})
		if err != nil {
			return
		}
		allowed := user == "alice" && (profile == "" || profile == "plain" || profile == "hers") ||
			user == "bob" && (profile == "" || profile == "plain" || profile == "gpu")
		if !allowed || o.Person.Account.Name != user || strings.ContainsAny(server, "/\x00") {
			t.Fatalf("%q %q %q became %+v", user, server, profile, o)
		}
	})
}

// FuzzStart is what a stranger at the socket could send as the parameters of Start.
func FuzzStart(f *testing.F) {
	for _, s := range []string{`{"user":"alice","server":""}`, `{"user":"root","server":"","profile":null,"options":{}}`,
		`{"user":"alice","server":"x","options":[1]}`, `{}`, `[]`, `{"user":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, parameters []byte) {
		var in wanted
		if json.Unmarshal(parameters, &in) != nil {
			return
		}
		choice, err := in.choice()
		if text := strings.TrimSpace(string(in.Options)); err == nil && text != "" && text != "null" && choice.Options == nil {
			t.Errorf("options %q passed, and are lost", in.Options)
		}
		if checkRef(in.ServerRef) == nil && strings.ContainsAny(in.Server, "/\n\x00") {
			t.Errorf("server %q passed", in.Server)
		}
	})
}
