package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/crypt"
)

// Where the keys come from that seal auth states: a credential of our unit, or JupyterHub's variable.
const (
	keysCredential = "crypt-keys"
	keysVariable   = "JUPYTERHUB_CRYPT_KEY"
)

// readKeys reads the keys, and takes the variable away from whatever this process starts. Without either there are none.
func readKeys() (crypt.Keys, error) {
	text, source := os.Getenv(keysVariable), keysVariable
	if err := os.Unsetenv(keysVariable); err != nil {
		return crypt.Keys{}, err
	}
	b, err := os.ReadFile(filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), keysCredential))
	switch {
	case os.Getenv("CREDENTIALS_DIRECTORY") == "", errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return crypt.Keys{}, err
	case text != "":
		return crypt.Keys{}, hub.Errorf(hub.Invalid, "both the credential %s and %s hold keys: remove the variable from jupyterhub.service, and restart it", keysCredential, keysVariable)
	default:
		text, source = string(b), "the credential "+keysCredential
	}
	keys, err := crypt.Parse(text)
	if err != nil {
		return keys, hub.Errorf(hub.Invalid, "%s: %w", source, err)
	}
	if keys.None() && source != keysVariable {
		return keys, hub.Errorf(hub.Invalid, "%s is empty: write a key into it, as `openssl rand -hex 32` prints one", source)
	}
	return keys, nil
}

// requireKeys refuses to keep what could not be sealed.
func requireKeys(c *config.Config, keys crypt.Keys) error {
	if !c.Authenticator.EnableAuthState || !keys.None() {
		return nil
	}
	return hub.Errorf(hub.Invalid, "%w", config.Mistakes{mistakeAt(c, "authenticator.enable_auth_state", errors.New("wants a key to seal with, and jupyterhub.service "+
		"has none; make one as root: (umask 077; openssl rand -hex 32 >/etc/jupyterhub/crypt-keys), then systemctl edit jupyterhub.service, with "+
		"LoadCredential="+keysCredential+":/etc/jupyterhub/crypt-keys in [Service], and restart it"))})
}

// reseal brings auth states to the first key, and says when that is done: then the other keys are of no use any more.
func (h *house) reseal(ctx context.Context) {
	if h.keys.None() {
		return
	}
	sealed, err := h.store.Reseal(ctx)
	switch {
	case err != nil:
		h.daemon.Log.Error().Err(err).Msg("auth states are not all sealed with the first key, trying again at the next start")
	case sealed.Done > 0:
		h.daemon.Log.Info().Int("count", sealed.Done).Msg("auth states are sealed with the first key now")
	}
	if sealed.Locked > 0 {
		h.daemon.Log.Warn().Int("count", sealed.Locked).Msg("there are auth states that none of the keys opens")
	}
}
