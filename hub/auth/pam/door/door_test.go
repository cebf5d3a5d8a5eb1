package door

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/varlink"
)

// pipePeer is the uid that a connection without credentials has: net.Pipe is one.
const pipePeer = 1<<32 - 1

// cast is the name service of these tests. ALICE and ali are other names of alice's uid.
var cast = map[string]hub.Account{
	"alice":  {Name: "alice", UID: 1000, Groups: []string{"alice"}},
	"ALICE":  {Name: "alice", UID: 1000, Groups: []string{"alice"}},
	"ali":    {Name: "alice", UID: 1000, Groups: []string{"alice"}},
	"bob":    {Name: "bob", UID: 1001, Groups: []string{"bob", "students"}},
	"root":   {Name: "root", UID: 0},
	"daemon": {Name: "daemon", UID: 1},
}

// play is one connection to a door with a PAM that the test plays.
type play struct {
	*varlink.Conn
	toPAM    []string // whom PAM was asked for
	reported []error
	ended    chan error
	// what modules set and root lets out
	variables map[string]string
	// whom the service of guests was asked for
	toGuests []string
}

// enter opens a door. The played PAM takes "right" as everyone's password, root's included.
func enter(t *testing.T, rules account.Rules, work time.Duration, change func(*Options)) *play {
	t.Helper()
	ours, theirs := net.Pipe()
	p := &play{Conn: varlink.NewConn(ours), ended: make(chan error, 1)}
	o := Options{
		Rules:  rules,
		Caller: pipePeer,
		Lookup: func(_ context.Context, name string) (hub.Account, error) {
			clean, err := account.Clean(name)
			if err != nil {
				return hub.Account{}, err
			}
			if a, ok := cast[clean]; ok {
				time.Sleep(7 * time.Millisecond) // somebody who is there takes longer to find
				return a, nil
			}
			return hub.Account{}, hub.Errorf(hub.NotFound, "there is no such account")
		},
		Stack:  Stack{Converse: p.converse(&p.toPAM, work), Standing: func(string) error { return nil }},
		Guests: Stack{Converse: p.converse(&p.toGuests, work), Standing: func(string) error { return nil }},
		Locked: func(context.Context, string) (bool, error) { return false, nil },
		Report: func(_, _ string, err error) { p.reported = append(p.reported, err) },
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { p.ended <- Serve(ctx, theirs, o) }()
	return p
}

// converse is a PAM service that takes "right" as everyone's password after work, and notes whom it was asked for.
func (p *play) converse(asked *[]string, work time.Duration) Converse {
	return func(user, _, _ string, ask Ask) (End, error) {
		*asked = append(*asked, user)
		got, err := ask(nil, hub.Prompt{Text: "Password:"})
		if err != nil {
			return End{}, err
		}
		if _, there := cast[user]; there {
			time.Sleep(work) // a hash is computed
		}
		if got != "right" {
			return End{}, &hub.Error{Kind: hub.Forbidden, Err: errors.New("pam_authenticate: no")}
		}
		return End{Name: user, Messages: []string{"welcome"}, Variables: p.variables}, nil
	}
}

func (p *play) begin(t *testing.T, user string) (hub.Step, error) {
	t.Helper()
	var out reply
	err := p.Call(t.Context(), varlink.Authenticator+".Begin", map[string]string{"user": user, "remote_host": "192.0.2.7", "tty": "jupyterhub"}, &out)
	return out.Step, err
}

func (p *play) answer(t *testing.T, answers ...string) (hub.Step, error) {
	t.Helper()
	var out reply
	err := p.Call(t.Context(), varlink.Authenticator+".Answer", map[string]any{"answers": answers}, &out)
	return out.Step, err
}

// Vulnerability: two accounts that are one user of the hub, or one account that is two. Attack: log in by the account's name, by another
// spelling of it, by the hub's name for it, and by an account that has the name which was given away.
// Verified: the account has one name in the hub, whoever asks; by the others nobody comes in, and PAM is not asked about them.
func TestTheHubsNameForAnAccount(t *testing.T) {
	renamed := func(o *Options) { o.Aliases = account.Aliases{"alice": "asmith", "carol": "bob"} }
	for typed, want := range map[string]string{"alice": "asmith", "ALICE": "asmith", "asmith": "", "bob": ""} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, time.Millisecond, renamed)
			if _, err := p.begin(t, typed); err != nil {
				t.Fatal(err)
			}
			step, err := p.answer(t, "right")
			switch {
			case want == "" && (hub.KindOf(err) != hub.Forbidden || p.toPAM[0] != standIn):
				t.Errorf("%s: %+v, %v; PAM was asked for %q", typed, step, err, p.toPAM)
			case want != "" && (err != nil || step.Account.Name != want || step.Account.UID != 1000):
				t.Errorf("%s: %+v, %v", typed, step, err)
			}
			p.Close()
			<-p.ended
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := enter(t, account.Rules{AllowAll: true}, 0, renamed)
		for _, method := range []string{"Account", "Check"} {
			for user, want := range map[string]hub.Kind{"asmith": hub.Unknown, "alice": hub.NotFound, "bob": hub.NotFound} {
				var out struct {
					Account hub.Account `json:"account"`
				}
				err := p.Call(t.Context(), varlink.Authenticator+"."+method, map[string]string{"name": user}, &out)
				if err == nil && (want != hub.Unknown || out.Account.Name != user || out.Account.UID != 1000) || err != nil && hub.KindOf(err) != want {
					t.Errorf("%s of %s: %+v, %v", method, user, out.Account, err)
				}
			}
		}
		p.Close()
		<-p.ended
	})
}

// Vulnerability: one account is two users, with other rights. Attack: alice logs in by other spellings of her name and by a second name of her
// uid. Verified: PAM is asked for what was typed, and at the end stands the name that the name service gives first.
func TestEveryNameOfAnAccountEndsAsOne(t *testing.T) {
	for _, typed := range []string{"alice", "ALICE", "ali"} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, time.Millisecond, nil)
			step, err := p.begin(t, typed)
			if err != nil || !reflect.DeepEqual(step.Prompts, []hub.Prompt{{Text: "Password:"}}) {
				t.Fatalf("%+v, %v", step, err)
			}
			step, err = p.answer(t, "right")
			if err != nil || step.Account == nil || step.Account.Name != "alice" || step.Account.UID != 1000 {
				t.Errorf("%+v, %v", step, err)
			}
			if !reflect.DeepEqual(p.toPAM, []string{typed}) || !reflect.DeepEqual(step.Messages, []string{"welcome"}) {
				t.Errorf("PAM was asked for %q; messages %q", p.toPAM, step.Messages)
			}
			p.Close()
			if err := <-p.ended; err != nil || !reflect.DeepEqual(p.reported, []error{nil}) {
				t.Errorf("ended with %v, reported %v", err, p.reported)
			}
		})
	}
}

// Vulnerability: sentence or time tells which accounts exist. Attack: mallory tries names of every sort with a password,
// right and wrong. Verified: the same sentence to the letter, after the same time, and no refused name reaches PAM.
func TestRefusalsAreAllAlike(t *testing.T) {
	rules := account.Rules{AllowedUsers: []string{"alice"}, AllowedGroups: []string{"students"}, BlockedUsers: []string{"bob", "ali"}}
	for name, toPAM := range map[string]string{"alice": "alice", "bob": standIn, "ali": standIn, "root": standIn, "daemon": standIn,
		"nobody-knows": standIn, "-x": standIn, "0": standIn, "a\nb": standIn, "": standIn, strings.Repeat("a", 100000): standIn} {
		synctest.Test(t, func(t *testing.T) {
			password := "right"
			if name == "alice" {
				password = "wrong"
			}
			p := enter(t, rules, 80*time.Millisecond, nil)
			started := time.Now()
			step, err := p.begin(t, name)
			if err != nil || len(step.Prompts) != 1 || time.Since(started) != questionGrain {
				t.Fatalf("%.20q: %+v, %v after %v", name, step, err, time.Since(started))
			}
			started = time.Now()
			step, err = p.answer(t, password)
			if hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != Refusal || step.Account != nil || time.Since(started) != refusalGrain {
				t.Errorf("%.20q: %+v, %v after %v", name, step, err, time.Since(started))
			}
			if !reflect.DeepEqual(p.toPAM, []string{toPAM}) {
				t.Errorf("PAM was asked for %.80q", p.toPAM)
			}
			if err := <-p.ended; err != nil || len(p.reported) != 1 || p.reported[0] == nil {
				t.Errorf("ended with %v, reported %v", err, p.reported)
			}
		})
	}
}

// What root lets out of PAM's environment comes with the account; where that is nothing, there is no state at all.
func TestVariablesComeWithTheAccount(t *testing.T) {
	for want, variables := range map[string]map[string]string{"": nil, `{"pam_environment":{"KRB5CCNAME":"FILE:/tmp/krb5cc"}}`: {"KRB5CCNAME": "FILE:/tmp/krb5cc"}} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, time.Millisecond, nil)
			p.variables = variables
			if step, err := p.begin(t, "alice"); err != nil || step.AuthState != nil {
				t.Fatalf("before the end: %+v, %v", step, err)
			}
			if step, err := p.answer(t, "right"); err != nil || string(step.AuthState) != want {
				t.Errorf("%s, %v, want %s", step.AuthState, err, want)
			}
		})
	}
}

// Vulnerability: a PAM module maps the user to another one. Attack: mallory logs in as herself and comes out as root.
// Verified: the name at the end is looked up and admitted anew.
func TestPAMMayNotEndWithSomebodyRefused(t *testing.T) {
	for _, end := range []string{"root", "daemon", "nobody-knows", "", "0"} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, 0, func(o *Options) {
				o.Converse = func(string, string, string, Ask) (End, error) { return End{Name: end}, nil }
			})
			if step, err := p.begin(t, "alice"); hub.KindOf(err) != hub.Forbidden || step.Account != nil {
				t.Errorf("PAM ended with %q: %+v, %v", end, step, err)
			}
		})
	}
}

func TestWhatMayBeTold(t *testing.T) {
	for kind, text := range map[hub.Kind]string{hub.Expired: "The password has expired and has to be changed.",
		hub.Invalid: "too short", hub.Unavailable: "Logging in does not work on this machine just now. Its administrator finds the reason in the journal.",
		hub.Unknown: Refusal, hub.NotFound: Refusal} {
		for _, who := range []string{"alice", "root"} {
			synctest.Test(t, func(t *testing.T) {
				p := enter(t, account.Rules{AllowAll: true}, 0, func(o *Options) {
					o.Converse = func(string, string, string, Ask) (End, error) {
						return End{}, &hub.Error{Kind: kind, Text: "too short", Err: errors.New("inner")}
					}
				})
				_, err := p.begin(t, who)
				want := text
				if who == "root" && kind != hub.Unavailable {
					want = Refusal
				}
				if err == nil || err.Error() != want {
					t.Errorf("%v of %s: told %q, want %q", kind, who, err, want)
				}
			})
		}
	}
}

func TestABrokenNameServiceIsNoRefusal(t *testing.T) {
	p := enter(t, account.Rules{AllowAll: true}, 0, func(o *Options) {
		o.Lookup = func(context.Context, string) (hub.Account, error) {
			return hub.Account{}, hub.Errorf(hub.Unavailable, "away")
		}
	})
	if _, err := p.begin(t, "alice"); hub.KindOf(err) != hub.Unavailable {
		t.Error(err)
	}
}

func TestOrderOfCalls(t *testing.T) {
	p := enter(t, account.Rules{AllowAll: true}, 0, nil)
	if _, err := p.answer(t, "right"); hub.KindOf(err) != hub.Conflict {
		t.Errorf("an answer before the question: %v", err)
	}
	if _, err := p.begin(t, "alice"); err != nil {
		t.Error(err)
	}
	if _, err := p.begin(t, "bob"); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a second conversation: %v", err)
	}
	for _, answers := range [][]string{{}, {"right", "right"}} {
		if _, err := p.answer(t, answers...); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%d answers: %v", len(answers), err)
		}
	}
	if _, err := p.answer(t, "right"); err != nil {
		t.Error(err)
	}
	if _, err := p.answer(t, "right"); hub.KindOf(err) != hub.Conflict {
		t.Errorf("an answer after the end: %v", err)
	}
}

func TestTheConnectionEnds(t *testing.T) {
	t.Run("after two minutes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, 0, nil)
			started := time.Now()
			if _, err := p.begin(t, "alice"); err != nil {
				t.Fatal(err)
			}
			<-p.ended
			if took := time.Since(started); took != lifetime {
				t.Errorf("after %v", took)
			}
		})
	})
	t.Run("after the last answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, 0, nil)
			p.begin(t, "alice")
			p.answer(t, "right")
			started := time.Now()
			<-p.ended
			if took := time.Since(started); took != linger {
				t.Errorf("%v after the last answer", took)
			}
		})
	})
	t.Run("when the caller leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true}, 0, nil)
			p.begin(t, "alice")
			p.Close()
			if err := <-p.ended; err != nil {
				t.Error(err)
			}
		})
	})
}

func TestAccount(t *testing.T) {
	p := enter(t, account.Rules{AllowAll: true, BlockedUsers: []string{"bob"}}, 0, nil)
	for name, want := range map[string]hub.Kind{"alice": hub.Unknown, "ALICE": hub.Unknown, "bob": hub.Forbidden, "root": hub.Forbidden,
		"nobody-knows": hub.NotFound, "-x": hub.Invalid} {
		var out struct {
			Account hub.Account `json:"account"`
		}
		err := p.Call(t.Context(), varlink.Authenticator+".Account", map[string]string{"name": name}, &out)
		if hub.KindOf(err) != want || (err == nil) != (want == hub.Unknown) || (err == nil && out.Account.Name != "alice") {
			t.Errorf("%q: %+v, %v", name, out.Account, err)
		}
	}
}

// An account that is used is looked at again: by rules, lock and PAM's account phase.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		who      string
		locked   bool
		standing error
		want     hub.Kind
	}{
		"in order":          {"ALICE", false, nil, hub.Unknown},
		"blocked":           {"bob", false, nil, hub.Forbidden},
		"root":              {"root", false, nil, hub.Forbidden},
		"removed":           {"nobody-knows", false, nil, hub.NotFound},
		"locked":            {"alice", true, nil, hub.Forbidden},
		"expired":           {"alice", false, &hub.Error{Kind: hub.Forbidden, Err: errors.New("pam_acct_mgmt: expired")}, hub.Forbidden},
		"nobody can say it": {"alice", false, &hub.Error{Kind: hub.Unavailable, Err: errors.New("pam_acct_mgmt: nologin")}, hub.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := enter(t, account.Rules{AllowAll: true, BlockedUsers: []string{"bob"}}, 0, func(o *Options) {
				o.Locked = func(_ context.Context, user string) (bool, error) { return c.locked && user == "alice", nil }
				o.Standing = func(string) error { return c.standing }
			})
			var out struct {
				Account hub.Account `json:"account"`
			}
			err := p.Call(t.Context(), varlink.Authenticator+".Check", map[string]string{"name": c.who}, &out)
			if hub.KindOf(err) != c.want || (err == nil) != (c.want == hub.Unknown) || err == nil && out.Account.Name != "alice" {
				t.Errorf("%+v, %v", out.Account, err)
			}
			if len(p.toPAM) > 0 {
				t.Errorf("a conversation was held with %q", p.toPAM)
			}
		})
	}
}

func TestOnlyTheHubAndRootMayCall(t *testing.T) {
	o := Options{Caller: 990, Stack: Stack{Converse: func(string, string, string, Ask) (End, error) {
		t.Error("PAM was asked")
		return End{}, nil
	}}}
	for uid, want := range map[uint32]bool{0: true, 990: true, 989: false, 1000: false, pipePeer: false} {
		if err := (&door{Options: o}).allow(varlink.Cred{UID: uid}); (err == nil) != want {
			t.Errorf("uid %d: %v", uid, err)
		}
	}
}
