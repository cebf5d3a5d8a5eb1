package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Limits of what one user can make the hub keep.
const (
	mostTokens = 1000
	longNote   = 1000 // bytes
)

// listTokens answers GET /hub/api/users/U/tokens.
func (room *Room) listTokens(w http.ResponseWriter, r *http.Request) error {
	list := client.Tokens{APITokens: []client.Token{}}
	err := room.Store.View(func(tx *store.Tx) error {
		owner, err := room.owner(tx, r.PathValue("user"))
		if err != nil {
			return err
		}
		tokens := tx.Tokens(owner.Owner)
		slices.SortStableFunc(tokens, func(a, b hub.Token) int {
			return latest(a.Created, a.LastActivity).Compare(latest(b.Created, b.LastActivity))
		})
		for _, t := range tokens {
			list.APITokens = append(list.APITokens, owner.model(tx, t))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list)
}

// owner is a user as the owner of tokens, with what they hold now.
type owner struct {
	hub.Owner
	policy *rbac.Policy
	holds  rbac.Set
	groups rbac.GroupsOf
}

func (room *Room) owner(tx *store.Tx, name string) (owner, error) {
	o := owner{Owner: hub.Owner{Kind: hub.OwnerUser, Name: name}, policy: room.Policy(), groups: auth.GroupsIn(tx)}
	var err error
	o.holds, err = auth.Holds(tx, o.policy, o.Owner)
	return o, err
}

// model shows a token with the scopes that it opens at this moment.
func (o owner) model(tx *store.Tx, t hub.Token) client.Token {
	m := client.Token{
		Kind: "api_token", ID: tokenID(t), User: o.Name, Roles: []string{}, Note: t.Note, SessionID: client.Text(t.Session),
		Created: client.At(t.Created), LastActivity: client.At(t.LastActivity), ExpiresAt: client.At(t.Expires), OAuthClient: "JupyterHub",
	}
	var through *hub.Client
	if t.Client != "" {
		if c, err := tx.Client(t.Client); err == nil {
			through, m.OAuthClient = &c, c.Description
		}
	}
	m.Scopes = o.policy.Token(t, through, o.holds, o.groups).List()
	return m
}

// createToken answers POST /hub/api/users/U/tokens. Its row is public because the refusal is always the same 403, whether the
// user exists or not (specification 1.5).
func (room *Room) createToken(w http.ResponseWriter, r *http.Request) error {
	name, a := r.PathValue("user"), auth.FromContext(r.Context())
	if !a.May("tokens", rbac.UserResource(name)) {
		return hub.Errorf(hub.Forbidden, "Missing or invalid credentials, or they do not allow to make tokens for this user")
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	t, err := room.readToken(body, name, a)
	if err != nil {
		return err
	}
	var model client.Token
	err = room.Store.Update(func(tx *store.Tx) error {
		owner, err := room.owner(tx, name)
		if hub.KindOf(err) == hub.NotFound {
			return hub.Errorf(hub.Forbidden, "No such user: %s", name)
		}
		if err != nil {
			return err
		}
		model, err = owner.mint(tx, t)
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, model)
}

// readToken reads what the token shall be.
func (room *Room) readToken(body object, name string, a auth.Actor) (hub.Token, error) {
	t := hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: name}, Note: defaultNote(name, a), Created: room.Now().UTC()}
	if err := body.into("note", &t.Note, "a string"); err != nil {
		return t, err
	}
	if len(t.Note) > longNote {
		return t, hub.Errorf(hub.Invalid, "A note has at most %d bytes", longNote)
	}
	life, err := room.lifetime(body)
	if err != nil {
		return t, err
	}
	if life > 0 {
		t.Expires = t.Created.Add(life)
	}
	t.Scopes, err = room.askedScopes(body)
	return t, err
}

func defaultNote(name string, a auth.Actor) string {
	if a.Owner == (hub.Owner{Kind: hub.OwnerUser, Name: name}) {
		return "Requested via api"
	}
	return fmt.Sprintf("Requested via api by %s %s", a.Owner.Kind, a.Owner.Name)
}

// lifetime reads expires_in: seconds, or null for as long as the admin allows; zero is for ever.
func (room *Room) lifetime(body object) (time.Duration, error) {
	var seconds int64
	if err := body.into("expires_in", &seconds, "a whole number of seconds, or null"); err != nil {
		return 0, err
	}
	const century = 100 * 365 * 24 * 3600
	if body.has("expires_in") && (seconds <= 0 || seconds > century) {
		return 0, hub.Errorf(hub.Invalid, "expires_in must be greater than 0, and less than a hundred years")
	}
	life := time.Duration(seconds) * time.Second
	if room.TokenMax > 0 && (life == 0 || life > room.TokenMax) {
		if life > room.TokenMax {
			return 0, hub.Errorf(hub.Invalid, "expires_in: %d must not exceed %d", seconds, int64(room.TokenMax.Seconds()))
		}
		life = room.TokenMax
	}
	return life, nil
}

// askedScopes reads scopes, or roles, which are turned into their scopes at once. Without either the token inherits; an
// empty list says who its owner is and nothing else.
func (room *Room) askedScopes(body object) ([]string, error) {
	_, byScope := body["scopes"]
	_, byRole := body["roles"]
	if byScope && byRole {
		return nil, hub.Errorf(hub.Invalid, "Give scopes or roles, not both")
	}
	policy, scopes := room.Policy(), []string{}
	var roles []string
	if !body.has("scopes") && !body.has("roles") {
		roles = []string{rbac.RoleToken}
	}
	if err := body.into("roles", &roles, "a list of roles"); err != nil {
		return nil, err
	}
	if err := body.into("scopes", &scopes, "a list of scopes"); err != nil {
		return nil, err
	}
	for _, name := range roles {
		role, err := policy.Role(name)
		if err != nil {
			return nil, hub.Errorf(hub.Invalid, "No such role: %s", short(name))
		}
		scopes = append(scopes, role.Scopes...)
	}
	for _, s := range scopes {
		if err := policy.Check(s); err != nil {
			return nil, err
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// mint makes the token, unless it would open more than its owner may.
func (o owner) mint(tx *store.Tx, t hub.Token) (client.Token, error) {
	var beyond []string
	for _, s := range t.Scopes {
		if s != rbac.Inherit && !o.holds.Covers(o.policy.Expand([]string{s}, rbac.Context{Owner: o.Owner}), o.groups) {
			beyond = append(beyond, s)
		}
	}
	if len(beyond) > 0 {
		return client.Token{}, hub.Errorf(hub.Invalid, "Not assigning requested scopes %s to the token: %s does not hold them", strings.Join(beyond, ", "), o.Name)
	}
	if len(tx.Tokens(o.Owner)) >= mostTokens {
		return client.Token{}, hub.Errorf(hub.Invalid, "%s has %d tokens already: revoke some first", o.Name, mostTokens)
	}
	value, t, err := tx.NewToken(t)
	if err != nil {
		return client.Token{}, err
	}
	m := o.model(tx, t)
	m.Value = value
	return m, nil
}

// showToken answers GET /hub/api/users/U/tokens/ID.
func (room *Room) showToken(w http.ResponseWriter, r *http.Request) error {
	var model client.Token
	err := room.Store.View(func(tx *store.Tx) error {
		owner, err := room.owner(tx, r.PathValue("user"))
		if err != nil {
			return err
		}
		t, err := owner.token(tx, r.PathValue("id"))
		model = owner.model(tx, t)
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, model)
}

// token finds one of the owner's tokens by the id that models show: "a" and a number.
func (o owner) token(tx *store.Tx, id string) (hub.Token, error) {
	digits, ok := strings.CutPrefix(id, "a")
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
		return hub.Token{}, hub.Errorf(hub.NotFound, "No such token")
	}
	t, err := tx.Token(n)
	if err == nil && t.Owner != o.Owner {
		err = hub.Errorf(hub.NotFound, "No such token")
	}
	return t, err
}

// deleteToken answers DELETE /hub/api/users/U/tokens/ID. Revoking one token of an OAuth client revokes all that it has of
// this user: the next request would get it another one otherwise.
func (room *Room) deleteToken(w http.ResponseWriter, r *http.Request) error {
	err := room.Store.Update(func(tx *store.Tx) error {
		owner, err := room.owner(tx, r.PathValue("user"))
		if err != nil {
			return err
		}
		t, err := owner.token(tx, r.PathValue("id"))
		if err != nil {
			return err
		}
		if t.Client != "" {
			return tx.DeleteOwnerTokensOfClient(owner.Owner, t.Client)
		}
		return tx.DeleteToken(t.ID)
	})
	if err != nil {
		return err
	}
	return nothing(w)
}
