package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/store"
)

const (
	oneKey     = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	anotherKey = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

// Keys come from a credential of the unit or from JupyterHub's variable, never from both, and the variable is not handed on.
func TestWhereKeysComeFrom(t *testing.T) {
	for _, play := range []struct {
		credential, variable string
		wrong                string // a part of the error
		none                 bool
	}{
		{none: true},
		{credential: oneKey + "\n"},
		{variable: anotherKey + ";" + oneKey},
		{credential: oneKey, variable: oneKey, wrong: "remove the variable"},
		{credential: "\n", wrong: "is empty"},
		{credential: "nonsense", wrong: "credential crypt-keys: key 1 is none"},
		{variable: "nonsense", wrong: "JUPYTERHUB_CRYPT_KEY: key 1 is none"},
	} {
		dir := ""
		if play.credential != "" {
			dir = t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, keysCredential), []byte(play.credential), 0o400); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("CREDENTIALS_DIRECTORY", dir)
		t.Setenv(keysVariable, play.variable)
		keys, err := readKeys()
		if play.wrong == "" && (err != nil || keys.None() != play.none) || play.wrong != "" && (err == nil || !strings.Contains(err.Error(), play.wrong)) {
			t.Errorf("%+v: none %v, %v", play, keys.None(), err)
		}
		if err != nil && strings.Contains(err.Error(), "nonsense") {
			t.Errorf("the journal has a key: %v", err)
		}
		if _, set := os.LookupEnv(keysVariable); set {
			t.Errorf("%+v: the variable is still there", play)
		}
	}
}

// Without a key the hub does not start with enable_auth_state, as JupyterHub does not, and no reload turns it on.
func TestAuthStateWantsAKey(t *testing.T) {
	st := newSite(t)
	on := "[authenticator]\nenable_auth_state = true\n"
	_, err := wire(&daemon.Daemon{ConfigDir: st.dir, Log: zerolog.Nop()}, st.load(on), st.store, crypt.Keys{})
	if err == nil || !strings.Contains(err.Error(), "jupyterhub.toml:2: authenticator.enable_auth_state: wants a key") {
		t.Errorf("started: %v", err)
	}
	h, err := wire(&daemon.Daemon{ConfigDir: st.dir, Log: zerolog.Nop()}, st.load(""), st.store, crypt.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	st.write(config.MainFile, on, 0o644)
	if _, err := h.Reload(t.Context(), false); hub.KindOf(err) != hub.Invalid || !strings.Contains(hub.TextOf(err), "wants a key") {
		t.Errorf("reloaded: %v", err)
	}
}

// After a start with a new key in front, everything is sealed with it, and the journal says so once.
func TestTheJournalTellsWhenKeysAreExchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	for _, play := range []struct{ keys, said string }{
		{oneKey, ""},
		{anotherKey + ";" + oneKey, `"count":1,"message":"auth states are sealed with the first key now"`},
		{anotherKey, ""},
		{oneKey, `"count":1,"message":"there are auth states that none of the keys opens"`},
	} {
		keys, err := crypt.Parse(play.keys)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(path, store.Options{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		if play.keys == oneKey && play.said == "" {
			err = s.Update(func(tx *store.Tx) error {
				if _, err := tx.PutUser(hub.User{Name: "alice"}); err != nil {
					return err
				}
				return tx.PutAuthState("alice", []byte(`{"token":"x"}`))
			})
		}
		var log bytes.Buffer
		(&house{store: s, keys: keys, daemon: &daemon.Daemon{Log: zerolog.New(&log)}}).reseal(t.Context())
		if err != nil || (play.said == "") != (log.Len() == 0) || !strings.Contains(log.String(), play.said) {
			t.Errorf("%s: %v, said %s", play.keys, err, &log)
		}
		s.Close()
	}
}
