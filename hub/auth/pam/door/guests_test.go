package door

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/varlink"
)

// open has guests, among them names that are accounts' as well.
var open = account.Rules{AllowAll: true, BlockedUsers: []string{"guest-7", "Guest-8"},
	Guests: account.Guests{Names: []string{"guest-*", "al*", "r*", "s*"}, Groups: []string{"guests"}}}

func TestAGuestLogsIn(t *testing.T) {
	for _, typed := range []string{"guest-1", "Guest-1"} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, open, time.Millisecond, nil)
			if _, err := p.begin(t, typed); err != nil {
				t.Fatal(err)
			}
			step, err := p.answer(t, "right")
			want := hub.Account{Name: "guest-1", UID: hub.NoUID, GID: hub.NoUID, Groups: []string{"guests"}, Guest: true}
			if err != nil || step.Account == nil || !reflect.DeepEqual(*step.Account, want) {
				t.Errorf("%s: %+v, %v", typed, step.Account, err)
			}
			if len(p.toPAM) > 0 || !reflect.DeepEqual(p.toGuests, []string{"guest-1"}) {
				t.Errorf("asked were %q of accounts and %q of guests", p.toPAM, p.toGuests)
			}
			p.Close()
			<-p.ended
		})
	}
}

// Vulnerability: the service for guests, which is easier to please, says who an account is. Attack: names of accounts that are in
// guest_users, in their letters and in others, names that are given to other accounts, and who is blocked.
// Verified: the service for guests is never asked for an account, and each of the others is refused as anybody is.
func TestNoAccountComesInAsAGuest(t *testing.T) {
	for typed, asked := range map[string][2][]string{
		"alice":      {{"alice"}, nil},
		"root":       {{standIn}, nil},
		"ROOT":       {{standIn}, nil},
		"guest-7":    {nil, {standIn}},
		"GUEST-7":    {nil, {standIn}},
		"Guest-8":    {nil, {standIn}},
		"guest-bob":  {nil, {standIn}}, // what the hub calls bob
		"sam":        {nil, {standIn}}, // an account that is away, and has another name here
		"mallory":    {{standIn}, nil},
		"guest-\x00": {{standIn}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, open, time.Millisecond, func(o *Options) { o.Aliases = account.Aliases{"bob": "guest-bob", "sam": "samuel"} })
			if _, err := p.begin(t, typed); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			step, err := p.answer(t, "right")
			switch {
			case typed == "alice":
				if err != nil || step.Account.UID != 1000 || step.Account.Guest {
					t.Errorf("alice is %+v, %v", step.Account, err)
				}
			case hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != Refusal || time.Since(started) != refusalGrain:
				t.Errorf("%q: %+v, %v after %v", typed, step, err, time.Since(started))
			}
			if !reflect.DeepEqual([2][]string{p.toPAM, p.toGuests}, asked) {
				t.Errorf("%q: asked were %q of accounts and %q of guests", typed, p.toPAM, p.toGuests)
			}
			p.Close()
			<-p.ended
		})
	}
}

// Vulnerability: a module maps who is asked for to another. Attack: a guest comes out as an account, an account as a guest.
// Verified: both are refused; a guest may come out as another guest.
func TestAServiceVouchesForItsOwn(t *testing.T) {
	for end, want := range map[string]bool{"alice": false, "root": false, "": false, "guest-2": true, "guest-7": false} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, open, 0, func(o *Options) {
				o.Guests.Converse = func(string, string, string, Ask) (End, error) { return End{Name: end}, nil }
			})
			step, err := p.begin(t, "guest-1")
			if (err == nil) != want || want && step.Account.Name != end {
				t.Errorf("a guest ends as %q: %+v, %v", end, step.Account, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := enter(t, open, 0, func(o *Options) {
			o.Converse = func(string, string, string, Ask) (End, error) { return End{Name: "guest-1"}, nil }
		})
		if step, err := p.begin(t, "alice"); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("an account ends as a guest: %+v, %v", step, err)
		}
	})
}

// Whether a guest may stay the account phase of their own service says, and the shadow database has no word in it.
func TestCheckOfAGuest(t *testing.T) {
	for name, c := range map[string]struct {
		who      string
		standing error
		want     hub.Kind
	}{
		"in order":          {"guest-1", nil, hub.Unknown},
		"another spelling":  {"Guest-1", nil, hub.NotFound},
		"blocked":           {"guest-7", nil, hub.Forbidden},
		"none":              {"mallory", nil, hub.NotFound},
		"gone":              {"guest-1", &hub.Error{Kind: hub.NotFound, Err: errors.New("pam_acct_mgmt: unknown")}, hub.NotFound},
		"barred":            {"guest-1", &hub.Error{Kind: hub.Forbidden, Err: errors.New("pam_acct_mgmt: denied")}, hub.Forbidden},
		"nobody can say it": {"guest-1", hub.Errorf(hub.Unavailable, "no file"), hub.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := enter(t, open, 0, func(o *Options) {
				o.Locked = func(context.Context, string) (bool, error) { return true, nil }
				o.Standing = func(string) error { return hub.Errorf(hub.Forbidden, "the wrong service") }
				o.Guests.Standing = func(string) error { return c.standing }
			})
			var out struct {
				Account hub.Account `json:"account"`
			}
			err := p.Call(t.Context(), varlink.Authenticator+".Check", map[string]string{"name": c.who}, &out)
			if hub.KindOf(err) != c.want || (err == nil) != (c.want == hub.Unknown) || err == nil && (out.Account.Name != "guest-1" || !out.Account.Guest) {
				t.Errorf("%+v, %v", out.Account, err)
			}
		})
	}
}

// An account that the name service knows and PAM does not is there: its user is not forgotten.
func TestAnAccountThatPAMDoesNotKnow(t *testing.T) {
	p := enter(t, account.Rules{AllowAll: true}, 0, func(o *Options) {
		o.Standing = func(string) error { return &hub.Error{Kind: hub.NotFound, Err: errors.New("pam_acct_mgmt: unknown")} }
	})
	if err := p.Call(t.Context(), varlink.Authenticator+".Check", map[string]string{"name": "alice"}, nil); hub.KindOf(err) != hub.Forbidden {
		t.Error(err)
	}
}
