package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/store"
)

// denial is an error of the token endpoint (RFC 6749, 5.2).
type denial struct {
	status int
	code   string
	text   string
}

func (e *denial) Error() string { return e.code + ": " + e.text }

func bad(code, text string) error { return &denial{http.StatusBadRequest, code, text} }

// exchange answers POST token: a code becomes a token. The client proves itself in the body; HTTP Basic is not looked at,
// nor the token in an Authorization header that single-user servers send along.
func (room *Room) exchange(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Origin") != "" {
		return hub.Errorf(hub.Forbidden, "'_xsrf' argument missing from POST")
	}
	token, value, err := room.redeem(r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	var d *denial
	if errors.As(err, &d) {
		return d.write(w)
	}
	if err != nil {
		return err
	}
	auth.Concern(r, "user "+token.Owner.Name, "client "+token.Client, fmt.Sprintf("token a%d", token.ID))
	return writeJSON(w, http.StatusOK, map[string]any{
		"access_token": value, "token_type": "Bearer", "expires_in": int64(room.ttl.Seconds()), "scope": strings.Join(token.Scopes, " "),
	})
}

// redeem checks everything before it burns the code, in one transaction: of two exchanges of one code one wins, and one
// that fails spoils nothing (specification 9.15).
func (room *Room) redeem(r *http.Request) (token hub.Token, value string, err error) {
	form, err := body(r)
	if err != nil {
		return token, "", err
	}
	err = room.store.Update(func(tx *store.Tx) error {
		code, err := room.check(tx, form)
		if err != nil {
			return err
		}
		if _, err := tx.TakeCode(form.Get("code")); err != nil {
			return err
		}
		value, token, err = tx.NewToken(hub.Token{
			Owner: hub.Owner{Kind: hub.OwnerUser, Name: code.User}, Scopes: code.Scopes, Client: code.Client, Session: code.Session,
			Created: room.now(), Expires: room.now().Add(room.ttl),
		})
		return err
	})
	return token, value, err
}

// body reads the form; what is in the query does not count.
func body(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, err
		}
		return nil, bad("invalid_request", "The body is not a well-formed form.")
	}
	form := r.PostForm
	switch form.Get("grant_type") {
	case "authorization_code":
	case "refresh_token":
		return nil, bad("invalid_request", "There are no refresh tokens here.")
	default:
		return nil, bad("unsupported_grant_type", "")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, bad("invalid_request", "Duplicate parameter: "+short(name))
		}
	}
	if form.Get("code") == "" {
		return nil, bad("invalid_request", "Missing code parameter.")
	}
	return form, nil
}

// check compares the exchange with the code: client and secret, who it was made for, PKCE, redirect URI, that the session it came
// from is still there, and that what it opens is still open to its user.
func (room *Room) check(tx *store.Tx, form url.Values) (hub.Code, error) {
	id := form.Get("client_id")
	if id == "" || tx.CheckClientSecret(id, form.Get("client_secret")) != nil {
		return hub.Code{}, &denial{http.StatusUnauthorized, "invalid_client", ""}
	}
	client, err := tx.Client(id)
	if err != nil {
		return hub.Code{}, err
	}
	code, err := tx.Code(form.Get("code"))
	if err != nil || code.Client != id || !room.now().Before(code.Expires) {
		return hub.Code{}, bad("invalid_grant", "")
	}
	if err := checkVerifier(code, form); err != nil {
		return hub.Code{}, err
	}
	if given, ok := form["redirect_uri"]; ok && given[0] != code.RedirectURI || client.RedirectURI != code.RedirectURI {
		return hub.Code{}, bad("invalid_request", "Mismatching redirect URI.")
	}
	if _, err := tx.Session(code.Session); err != nil {
		return hub.Code{}, bad("invalid_grant", "")
	}
	return code, room.stillOpen(tx, client, code.User)
}

// stillOpen refuses a code whose user may not enter any more what it was made for.
func (room *Room) stillOpen(tx *store.Tx, client hub.Client, user string) error {
	holds, err := auth.Holds(tx, room.policy(), hub.Owner{Kind: hub.OwnerUser, Name: user})
	if err == nil && !auth.MayEnter(holds, client, auth.GroupsIn(tx)) {
		return bad("invalid_grant", "")
	}
	return err
}

// checkVerifier compares PKCE's two halves. A verifier without a challenge means that somebody took the challenge out of the
// request on its way (RFC 9700, 4.8.2).
func checkVerifier(code hub.Code, form url.Values) error {
	verifier := form.Get("code_verifier")
	switch {
	case code.Challenge == "" && verifier == "":
		return nil
	case code.Challenge == "":
		return bad("invalid_grant", "")
	case verifier == "":
		return bad("invalid_request", "Code verifier required.")
	}
	if !proves(code, verifier) {
		return bad("invalid_grant", "")
	}
	return nil
}

func (e *denial) write(w http.ResponseWriter) error {
	body := map[string]string{"error": e.code}
	if e.text != "" {
		body["error_description"] = e.text
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_client"`)
	}
	return writeJSON(w, e.status, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(b)
	return err
}
