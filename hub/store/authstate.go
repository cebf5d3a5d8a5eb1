package store

import (
	"context"
	"encoding/json"

	"jupyterhubd/hub"
)

// aboutAuthState is what the sealed state of a user is bound to: it opens for no other user, and not for whoever gets the name.
func aboutAuthState(u hub.User) []byte { return append([]byte("auth_state of user "), number(u.ID)...) }

// AuthState returns what the authenticator keeps about a user, a JSON object, or nil where that is nothing. What cannot be
// opened is an error of kind Unavailable.
func (tx *Tx) AuthState(name string) (json.RawMessage, error) {
	u, ok, err := tx.storedUser(name)
	if err != nil || !ok {
		return nil, orMissing(err, "user", name)
	}
	sealed := tx.bucket(bucketAuthStates).Get(number(u.ID))
	if sealed == nil {
		return nil, nil
	}
	plain, err := tx.s.opts.Keys.Open(sealed, aboutAuthState(u))
	if err != nil {
		return nil, hub.Errorf(hub.Unavailable, "the auth_state of %s cannot be read: %w", name, err)
	}
	return plain, nil
}

// PutAuthState replaces what is kept about a user. Nil keeps nothing, for which no key is needed; without a key anything else is
// Invalid.
func (tx *Tx) PutAuthState(name string, state json.RawMessage) error {
	u, ok, err := tx.storedUser(name)
	if err != nil || !ok {
		return orMissing(err, "user", name)
	}
	if state == nil {
		return tx.bucket(bucketAuthStates).Delete(number(u.ID))
	}
	if tx.s.opts.Keys.None() {
		return hub.Errorf(hub.Invalid, "auth_state cannot be kept: the hub has no key to seal it with; its administrator gives it one as jupyterhub.toml(5) says, at enable_auth_state")
	}
	sealed, err := tx.s.opts.Keys.Seal(state, aboutAuthState(u))
	if err != nil {
		return err
	}
	return tx.bucket(bucketAuthStates).Put(number(u.ID), sealed)
}

// Resealed is what a round of Reseal found.
type Resealed struct {
	Done   int // sealed with another key than the first, and now with the first
	Locked int // which none of the keys opens; they stay
}

// resealBatch is how many users' states one transaction seals anew, so that nobody waits long behind it.
const resealBatch = 500

// Reseal seals with the first key what another one has sealed. After it, the other keys are of use for nothing but backups.
func (s *Store) Reseal(ctx context.Context) (r Resealed, err error) {
	for next := []byte{}; next != nil && err == nil; {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		err = s.Update(func(tx *Tx) error {
			var batch Resealed
			batch, next, err = tx.resealFrom(next)
			r.Done, r.Locked = r.Done+batch.Done, r.Locked+batch.Locked
			return err
		})
	}
	return r, err
}

// resealFrom seals a batch and returns where the next one begins; nil at the end.
func (tx *Tx) resealFrom(start []byte) (r Resealed, next []byte, err error) {
	var stale [][]byte
	c := tx.bucket(bucketAuthStates).Cursor()
	for k, sealed := c.Seek(start); k != nil; k, sealed = c.Next() {
		if tx.s.opts.Keys.First(sealed) {
			continue
		}
		if len(stale) == resealBatch {
			next = append([]byte{}, k...)
			break
		}
		stale = append(stale, append([]byte{}, k...))
	}
	for _, k := range stale {
		name := tx.get(indexUserID, k)
		state, err := tx.AuthState(name)
		if hub.KindOf(err) == hub.Unavailable {
			r.Locked++
			continue
		}
		if err == nil {
			err = tx.PutAuthState(name, state)
		}
		if err != nil {
			return r, nil, err
		}
		r.Done++
	}
	return r, next, nil
}
