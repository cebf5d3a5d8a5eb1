package api

import (
	"encoding/json"
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
	body, err := readObject(r)
	if err != nil {
		return err
	}
	a, err := room.tokenMaker(r, body)
	if err != nil {
		return err
	}
	name := r.PathValue("user")
	if !a.May("tokens", rbac.UserResource(name)) {
		return hub.Errorf(hub.Forbidden, "Missing or invalid credentials, or they do not allow to make tokens for this user")
	}
	var note string
	if err := body.into("note", &note, "a string"); err != nil {
		return err
	}
	life, err := lifetime(body)
	if err != nil {
		return err
	}
	scopes, err := room.askedScopes(body)
	if err != nil {
		return err
	}
	value, t, err := room.NewToken(a, name, note, life, scopes)
	if hub.KindOf(err) == hub.NotFound {
		return hub.Errorf(hub.Forbidden, "No such user: %s", name)
	}
	if err != nil {
		return err
	}
	model, err := room.tokenModel(name, func(*store.Tx, owner) (hub.Token, error) { return t, nil })
	if err != nil {
		return err
	}
	auth.Concern(r, "token "+model.ID)
	model.Value = value
	return writeJSON(w, http.StatusCreated, model)
}

// tokenMaker is who asks for a token: whoever the request comes from, or, if that is nobody, whoever "auth" in the body logs in.
// The XSRF token is looked at here, because the latter brings none and needs none: no other site knows the password.
func (room *Room) tokenMaker(r *http.Request, body object) (auth.Actor, error) {
	a := auth.FromContext(r.Context())
	if !a.Anonymous() {
		return a, room.Doorman.CheckXSRF(r, auth.API)
	}
	var typed struct{ Username, Password, OTP string }
	if !body.has("auth") || json.Unmarshal(body["auth"], &typed) != nil {
		return a, nil
	}
	if !room.InsecureHTTP && auth.Overheard(r) {
		return a, hub.Errorf(hub.Forbidden, "A password needs HTTPS on its way here")
	}
	answers := []string{typed.Password}
	if typed.OTP != "" {
		answers = append(answers, typed.OTP)
	}
	return room.Doorman.Vouch(r, auth.Attempt{Username: typed.Username, Typed: answers})
}

// tokenModel shows one token of a user.
func (room *Room) tokenModel(user string, find func(*store.Tx, owner) (hub.Token, error)) (model client.Token, err error) {
	err = room.Store.View(func(tx *store.Tx) error {
		o, err := room.owner(tx, user)
		if err != nil {
			return err
		}
		t, err := find(tx, o)
		model = o.model(tx, t)
		return err
	})
	return model, err
}

// lifetime reads expires_in: seconds, or null for as long as the admin allows, which is zero here.
func lifetime(body object) (time.Duration, error) {
	var seconds int64
	if err := body.into("expires_in", &seconds, "a whole number of seconds, or null"); err != nil {
		return 0, err
	}
	const century = 100 * 365 * 24 * 3600
	if body.has("expires_in") && (seconds <= 0 || seconds > century) {
		return 0, hub.Errorf(hub.Invalid, "expires_in must be greater than 0, and less than a hundred years")
	}
	return time.Duration(seconds) * time.Second, nil
}

// askedScopes reads scopes, or roles, which are turned into their scopes at once. Without either the answer is nil; an empty
// list is one.
func (room *Room) askedScopes(body object) ([]string, error) {
	_, byScope := body["scopes"]
	_, byRole := body["roles"]
	if byScope && byRole {
		return nil, hub.Errorf(hub.Invalid, "Give scopes or roles, not both")
	}
	if !body.has("scopes") && !body.has("roles") {
		return nil, nil
	}
	var roles []string
	scopes := []string{}
	if err := body.into("roles", &roles, "a list of roles"); err != nil {
		return nil, err
	}
	if err := body.into("scopes", &scopes, "a list of scopes"); err != nil {
		return nil, err
	}
	for _, name := range roles {
		role, err := room.Policy().Role(name)
		if err != nil {
			return nil, hub.Errorf(hub.Invalid, "No such role: %s", short(name))
		}
		scopes = append(scopes, role.Scopes...)
	}
	return scopes, nil
}

// showToken answers GET /hub/api/users/U/tokens/ID.
func (room *Room) showToken(w http.ResponseWriter, r *http.Request) error {
	model, err := room.tokenModel(r.PathValue("user"), func(tx *store.Tx, o owner) (hub.Token, error) { return o.token(tx, r.PathValue("id")) })
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

// deleteToken answers DELETE /hub/api/users/U/tokens/ID.
func (room *Room) deleteToken(w http.ResponseWriter, r *http.Request) error {
	if err := room.RevokeToken(r.PathValue("user"), r.PathValue("id")); err != nil {
		return err
	}
	return nothing(w)
}
