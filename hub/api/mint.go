package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Limits of what one user can make the hub keep.
const (
	mostTokens = 1000
	longNote   = 1000 // bytes
)

// NewToken makes a token of a user's for an actor who may, and returns its value this once. Without a note it says who asked
// for it; life 0 is as long as the admin allows; nil scopes are all that the user holds, an empty list says who the user is
// and nothing else. A token that would open more than its user may is refused with Invalid, one that would lift who asks for
// it with Forbidden.
func (room *Room) NewToken(a auth.Actor, user, note string, life time.Duration, scopes []string) (value string, t hub.Token, err error) {
	t = hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user}, Note: note, Created: room.Now().UTC()}
	if t.Note == "" {
		t.Note = defaultNote(user, a)
	}
	if len(t.Note) > longNote {
		return "", t, hub.Errorf(hub.Invalid, "A note has at most %d bytes", longNote)
	}
	if life, err = room.capped(life); err != nil {
		return "", t, err
	}
	if life > 0 {
		t.Expires = t.Created.Add(life)
	}
	if t.Scopes, err = room.checked(scopes); err != nil {
		return "", t, err
	}
	err = room.Store.Update(func(tx *store.Tx) error {
		o, err := room.owner(tx, user)
		if err == nil {
			err = o.mayHave(tx, t)
		}
		if err == nil && !room.wholeAdmin(a) {
			err = o.mayGive(a, t)
		}
		if err == nil {
			value, t, err = tx.NewToken(t)
		}
		return err
	})
	return value, t, err
}

func defaultNote(user string, a auth.Actor) string {
	if a.Owner == (hub.Owner{Kind: hub.OwnerUser, Name: user}) {
		return "Requested via api"
	}
	return fmt.Sprintf("Requested via api by %s %s", a.Owner.Kind, a.Owner.Name)
}

// capped applies token_expires_in_max_seconds, which is the default too where there is one.
func (room *Room) capped(life time.Duration) (time.Duration, error) {
	switch {
	case room.TokenMax <= 0:
		return life, nil
	case life > room.TokenMax:
		return 0, hub.Errorf(hub.Invalid, "expires_in: %d must not exceed %d", int64(life.Seconds()), int64(room.TokenMax.Seconds()))
	case life == 0:
		return room.TokenMax, nil
	}
	return life, nil
}

// checked returns scopes sorted, those of the role token for nil; each must be known.
func (room *Room) checked(scopes []string) ([]string, error) {
	policy := room.Policy()
	if scopes == nil {
		role, err := policy.Role(rbac.RoleToken)
		if err != nil {
			return nil, err
		}
		scopes = role.Scopes
	}
	for _, s := range scopes {
		if err := policy.Check(s); err != nil {
			return nil, err
		}
	}
	sorted := slices.Clone(scopes)
	slices.Sort(sorted)
	return slices.Compact(sorted), nil
}

// mayHave refuses a token that would open more than its owner may, or be one too many.
func (o owner) mayHave(tx *store.Tx, t hub.Token) error {
	var beyond []string
	for _, s := range t.Scopes {
		if s != rbac.Inherit && !o.holds.Covers(o.policy.Expand([]string{s}, rbac.Context{Owner: o.Owner}), o.groups) {
			beyond = append(beyond, s)
		}
	}
	if len(beyond) > 0 {
		return hub.Errorf(hub.Invalid, "Not assigning requested scopes %s to the token: %s does not hold them", strings.Join(beyond, ", "), o.Name)
	}
	if len(tx.Tokens(o.Owner)) >= mostTokens {
		return hub.Errorf(hub.Invalid, "%s has %d tokens already: revoke some first", o.Name, mostTokens)
	}
	return nil
}

// mayGive refuses a token that opens more than what every user holds, unless who asks for it holds that more: whoever may make
// tokens for an admin, or has a token of an admin's that was made narrow, would be an admin by way of the new token.
func (o owner) mayGive(a auth.Actor, t hub.Token) error {
	plain := o.policy.User(hub.User{Name: o.Name}, nil, nil).Union(o.policy.Identify(o.Owner))
	if a.Scopes.Union(plain).Covers(o.policy.Token(t, nil, o.holds, o.groups), o.groups) {
		return nil
	}
	return hub.Errorf(hub.Forbidden, "A token for %s that opens more than you may yourself is made by an admin alone", o.Name)
}

// RevokeToken revokes a user's token by the id that models show. Revoking one token of an OAuth client revokes all that it
// has of this user: the next request would get it another one otherwise.
func (room *Room) RevokeToken(user, id string) error {
	return room.Store.Update(func(tx *store.Tx) error {
		o, err := room.owner(tx, user)
		if err != nil {
			return err
		}
		t, err := o.token(tx, id)
		if err != nil {
			return err
		}
		if t.Client != "" {
			return tx.DeleteOwnerTokensOfClient(o.Owner, t.Client)
		}
		return tx.DeleteToken(t.ID)
	})
}
