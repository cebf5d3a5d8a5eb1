package door

import (
	"testing"
	"testing/synctest"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
)

// username_pattern is about the hub's names. Whose name does not match is refused like everybody who is refused, PAM is not asked about
// them, and they do not stay in.
func TestNamesThatUsernamePatternRefuses(t *testing.T) {
	rules := account.Rules{AllowAll: true, Guests: account.Guests{Names: []string{"guest-*"}}, Names: account.Names("asmith|guest-1")}
	for typed, admitted := range map[string]bool{"alice": true, "bob": false, "guest-1": true, "guest-2": false} {
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, rules, 0, func(o *Options) { o.Aliases = account.Aliases{"alice": "asmith"} })
			if _, err := p.begin(t, typed); err != nil {
				t.Fatal(err)
			}
			_, err := p.answer(t, "right")
			if admitted && err != nil || !admitted && (hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != Refusal) {
				t.Errorf("%s: %v", typed, err)
			}
			if asked := append(p.toPAM, p.toGuests...); !admitted && asked[0] != standIn {
				t.Errorf("%s: PAM was asked for %q", typed, asked)
			}
			p.Close()
			<-p.ended
		})
		synctest.Test(t, func(t *testing.T) {
			p := enter(t, rules, 0, nil)
			err := p.Call(t.Context(), "org.jupyterhub.Authenticator.Check", map[string]any{"name": "bob"}, nil)
			if hub.KindOf(err) != hub.Forbidden {
				t.Errorf("bob stays in: %v", err)
			}
			p.Close()
			<-p.ended
		})
	}
}
