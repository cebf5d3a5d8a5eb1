package store

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// A secret is in the file as a hash alone, in whatever record.
func TestNoSecretIsInTheFile(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	var secrets []string
	must(t, s, func(tx *Tx) error {
		ref := hub.ServerRef{User: "alice"}
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		value, _, err := tx.NewServerToken(ref, hub.Token{Owner: owner("alice")})
		if err != nil {
			return err
		}
		if err := tx.PutClient(hub.Client{ID: "jupyterhub-user-alice", Server: ref}, "the-client-secret"); err != nil {
			return err
		}
		cookie, session, err := tx.NewSession(hub.Session{User: "alice", Expires: c.now().Add(time.Hour)})
		if err != nil {
			return err
		}
		code, err := tx.NewCode(hub.Code{Client: "jupyterhub-user-alice", User: "alice", Session: session.ID})
		if err != nil {
			return err
		}
		share, _, err := tx.NewShareCode(hub.ShareCode{Server: ref, Scopes: []string{"access:servers"}, Expires: c.now().Add(time.Hour)})
		if err != nil {
			return err
		}
		plain, _, err := tx.NewToken(hub.Token{Owner: owner("alice")})
		secrets = []string{value, "the-client-secret", cookie, code, plain, share}
		return err
	})
	if n := len(secrets[2]); n != 43 {
		t.Errorf("a cookie has %d characters", n)
	}
	raw, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%q is in the file", secret)
		}
	}
}

func TestTokens(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice", "bob")
	must(t, s, func(tx *Tx) error {
		value, made, err := tx.NewToken(hub.Token{Owner: owner("alice"), Scopes: []string{"inherit"}, Expires: c.now().Add(time.Hour)})
		if err != nil {
			return err
		}
		got, err := tx.TokenByValue(value)
		if err != nil || got.ID != made.ID || len(value) != 32 {
			t.Errorf("%q is %+v, %v", value, got, err)
		}
		_, err = tx.TokenByValue(value + "0")
		wantKind(t, err, hub.NotFound)
		_, _, err = tx.NewToken(hub.Token{Owner: owner("mallory")})
		wantKind(t, err, hub.NotFound)
		_, _, err = tx.NewToken(hub.Token{Owner: owner("alice"), Client: "no-such-client"})
		wantKind(t, err, hub.NotFound)
		_, _, err = tx.NewToken(hub.Token{Owner: owner("alice"), ServerToken: true})
		wantKind(t, err, hub.Invalid)

		c.advance(time.Hour)
		_, err = tx.TokenByValue(value)
		wantKind(t, err, hub.NotFound)
		if left := tx.Tokens(owner("alice")); len(left) != 0 {
			t.Errorf("an expired token is listed: %v", left)
		}
		return nil
	})
}

// A configured token is put at every start of the hub.
func TestTokensMadeElsewhere(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice", "bob")
	must(t, s, func(tx *Tx) error {
		if err := tx.PutService(hub.Service{Name: "culler"}); err != nil {
			return err
		}
		culler := hub.Owner{Kind: hub.OwnerService, Name: "culler"}
		first, err := tx.PutTokenValue(hub.Token{Owner: culler, Scopes: []string{"list:users"}}, "correct horse")
		if err != nil {
			return err
		}
		second, err := tx.PutTokenValue(hub.Token{Owner: culler, Scopes: []string{"inherit"}}, "correct horse")
		if err != nil || second.ID != first.ID || second.Scopes[0] != "inherit" {
			t.Errorf("the second start made %+v, %v", second, err)
		}
		_, err = tx.PutTokenValue(hub.Token{Owner: owner("bob")}, "correct horse")
		wantKind(t, err, hub.Conflict)
		_, err = tx.PutTokenValue(hub.Token{Owner: owner("bob")}, "short")
		wantKind(t, err, hub.Invalid)
		return nil
	})
}

// A unit that systemd restarts fetches its credential again: one token a server, the former one is worth nothing.
func TestServerTokenIsReplaced(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice")
	ref := hub.ServerRef{User: "alice", Server: "lab"}
	must(t, s, func(tx *Tx) error {
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		first, _, err := tx.NewServerToken(ref, hub.Token{Owner: owner("alice")})
		if err != nil {
			return err
		}
		second, token, err := tx.NewServerToken(ref, hub.Token{Owner: owner("alice")})
		if err != nil || !token.ServerToken {
			t.Errorf("%+v, %v", token, err)
		}
		_, err = tx.TokenByValue(first)
		wantKind(t, err, hub.NotFound)
		if err := tx.DeleteServer(ref); err != nil {
			return err
		}
		_, err = tx.TokenByValue(second)
		wantKind(t, err, hub.NotFound)
		return nil
	})
}

// Client ids of different owners can be spelled alike; the second must not get the first one's logins.
func TestClients(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "a", "a-b")
	must(t, s, func(tx *Tx) error {
		named, plain := hub.ServerRef{User: "a", Server: "b"}, hub.ServerRef{User: "a-b"}
		for _, ref := range []hub.ServerRef{named, plain} {
			if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
				return err
			}
		}
		const id = "jupyterhub-user-a-b"
		wantKind(t, tx.PutClient(hub.Client{ID: id, Server: named}, ""), hub.Invalid, "secret")
		if err := tx.PutClient(hub.Client{ID: id, Server: named}, "secret"); err != nil {
			return err
		}
		wantKind(t, tx.PutClient(hub.Client{ID: id, Server: plain}, "secret"), hub.Conflict)
		wantKind(t, tx.CheckClientSecret(id, "guess"), hub.Forbidden)
		wantKind(t, tx.CheckClientSecret("nobody", "secret"), hub.NotFound)
		if err := tx.PutClient(hub.Client{ID: id, Server: named, NoConfirm: true}, ""); err != nil {
			return err
		}
		return tx.CheckClientSecret(id, "secret") // kept
	})
}

// Play: alice logs out while a code is on its way to her server. Verified: the code is gone, and no token can be made for
// the session that is over.
func TestLogoutDuringExchange(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	must(t, s, func(tx *Tx) error {
		ref := hub.ServerRef{User: "alice"}
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		if err := tx.PutClient(hub.Client{ID: "c", Server: ref}, "secret"); err != nil {
			return err
		}
		cookie, session, err := tx.NewSession(hub.Session{User: "alice", Expires: c.now().Add(time.Hour)})
		if err != nil {
			return err
		}
		code, err := tx.NewCode(hub.Code{Client: "c", User: "alice", Session: session.ID})
		if err != nil {
			return err
		}
		value, _, err := tx.NewToken(hub.Token{Owner: owner("alice"), Client: "c", Session: session.ID})
		if err != nil {
			return err
		}
		if err := tx.DeleteSession(session.ID); err != nil {
			return err
		}
		_, err = tx.TakeCode(code)
		wantKind(t, err, hub.NotFound)
		_, err = tx.TokenByValue(value)
		wantKind(t, err, hub.NotFound)
		_, err = tx.SessionByCookie(cookie)
		wantKind(t, err, hub.NotFound)
		_, _, err = tx.NewToken(hub.Token{Owner: owner("alice"), Client: "c", Session: session.ID})
		wantKind(t, err, hub.NotFound)
		return nil
	})
}

func TestCodesAreGoodOnceAndForFiveMinutes(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	var codes []string
	must(t, s, func(tx *Tx) error {
		if err := tx.PutService(hub.Service{Name: "culler"}); err != nil {
			return err
		}
		if err := tx.PutClient(hub.Client{ID: "service-culler", Service: "culler"}, "secret"); err != nil {
			return err
		}
		_, session, err := tx.NewSession(hub.Session{User: "alice", Expires: c.now().Add(time.Hour)})
		if err != nil {
			return err
		}
		for range maxCodes {
			code, err := tx.NewCode(hub.Code{Client: "service-culler", User: "alice", Session: session.ID})
			if err != nil {
				return err
			}
			codes = append(codes, code)
		}
		_, err = tx.NewCode(hub.Code{Client: "service-culler", User: "alice", Session: session.ID})
		wantKind(t, err, hub.TooMany)
		return nil
	})
	must(t, s, func(tx *Tx) error {
		if _, err := tx.Code(codes[0]); err != nil {
			return err
		}
		if _, err := tx.TakeCode(codes[0]); err != nil {
			return err
		}
		_, err := tx.TakeCode(codes[0])
		wantKind(t, err, hub.NotFound)
		c.advance(codeLife)
		_, err = tx.TakeCode(codes[1])
		wantKind(t, err, hub.NotFound)
		if _, err := tx.Prune(); err != nil {
			return err
		}
		if left := tx.keys(bucketCodes, nil); len(left) != 0 {
			t.Errorf("%d codes are left", len(left))
		}
		return nil
	})
}

func TestSecretsAreMadeOnce(t *testing.T) {
	s, _ := cellar(t)
	err := s.View(func(tx *Tx) error { _, err := tx.Secret("xsrf"); return err })
	wantKind(t, err, hub.NotFound)
	var first, second, other []byte
	must(t, s, func(tx *Tx) (err error) { first, err = tx.Secret("xsrf"); return err })
	must(t, s, func(tx *Tx) (err error) {
		if second, err = tx.Secret("xsrf"); err != nil {
			return err
		}
		other, err = tx.Secret("another")
		return err
	})
	if len(first) != 32 || !bytes.Equal(first, second) || bytes.Equal(first, other) {
		t.Errorf("%x, %x, %x", first, second, other)
	}
}

// Strangers can make us remember so much and no more, and one class of keys does not push out another.
func TestThrottlesAreBounded(t *testing.T) {
	s, c := cellar(t)
	must(t, s, func(tx *Tx) error {
		if err := tx.PutThrottle("known:alice", Throttle{Last: c.now().Add(-time.Minute), Until: c.now().Add(time.Hour)}); err != nil {
			return err
		}
		for i := range maxThrottles + 3 {
			if err := tx.PutThrottle(fmt.Sprintf("address:%d", i), Throttle{Failures: 1, Last: c.now().Add(time.Duration(i))}); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *Tx) error {
		if n := len(tx.keys(bucketThrottles, nil)); n != maxThrottles+1 {
			t.Errorf("%d are remembered", n)
		}
		for name, want := range map[string]bool{"address:2": false, "address:3": true, "known:alice": true} {
			if _, ok := tx.Throttle(name); ok != want {
				t.Errorf("%s is remembered: %v", name, ok)
			}
		}
		return nil
	})
	c.advance(2 * time.Hour)
	if err := s.prune(); err != nil {
		t.Fatal(err)
	}
	if left := contents(t, s); left != "" {
		t.Errorf("left after two hours:\n%s", left)
	}
}
