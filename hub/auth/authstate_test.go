package auth

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/store"
)

// A login replaces what was kept by what it hands over, also by nothing; where nothing is to be kept, by nothing at all. A login
// that is refused changes nothing.
func TestALoginReplacesTheAuthState(t *testing.T) {
	for _, play := range []struct {
		keep                        bool
		handed, typed, before, want string
	}{
		{true, `{"ticket":1}`, "secret", "", `{"ticket":1}`},
		{true, `{"ticket":1}`, "secret", `{"old":1}`, `{"ticket":1}`},
		{true, "", "secret", `{"old":1}`, ""},
		{true, `{"ticket":1}`, "wrong", `{"old":1}`, `{"old":1}`},
		{false, `{"ticket":1}`, "secret", "", ""},
		{false, `{"ticket":1}`, "secret", `{"old":1}`, ""},
	} {
		door := authtest.NewDouble()
		door.Put(authtest.Account{Account: hub.Account{Name: "erin", UID: 2000}, Password: "secret", State: play.handed})
		h := newHouse(t, nil, func(o *Options) {
			o.Authenticator, o.Rules.KeepAuthState = door, play.keep
		})
		h.user(hub.User{Name: "erin", UID: 2000})
		if play.before != "" {
			h.update(func(tx *store.Tx) error { return tx.PutAuthState("erin", []byte(play.before)) })
		}
		h.browser("192.0.2.7").login("erin", play.typed)
		h.update(func(tx *store.Tx) error {
			if state, err := tx.AuthState("erin"); err != nil || string(state) != play.want {
				t.Errorf("%+v: kept is %q, %v", play, state, err)
			}
			return nil
		})
	}
}
