package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// request is an authorization request whose client and redirect URI are sure: from here on errors go to the client.
type request struct {
	client   hub.Client
	actor    auth.Actor
	redirect string
	state    string
	params   url.Values
}

// refusal is an error that the client is told by a redirect (RFC 6749, 4.1.2.1).
type refusal struct{ code, text string }

func (e *refusal) Error() string { return e.code + ": " + e.text }

// read finds out who asks for whom. Its errors are for the person: no redirect URI may be trusted yet.
func (room *Room) read(r *http.Request) (*request, error) {
	params, err := once(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	req := &request{actor: auth.FromContext(r.Context()), state: params.Get("state"), params: params}
	if req.actor.User == nil || req.actor.Session == nil {
		return nil, hub.Errorf(hub.Forbidden, "Only a person who is logged in can authorize an application")
	}
	err = room.store.View(func(tx *store.Tx) error {
		req.client, err = tx.Client(params.Get("client_id"))
		return err
	})
	switch {
	case hub.KindOf(err) == hub.NotFound, err == nil && req.client.RedirectURI == "":
		return nil, hub.Errorf(hub.Invalid, "No application has this client_id. Its server may have been stopped: go back to it and start it again.")
	case err != nil:
		return nil, err
	}
	req.redirect = req.client.RedirectURI
	if given, ok := params["redirect_uri"]; ok && given[0] != req.redirect {
		return nil, hub.Errorf(hub.Invalid, "The redirect_uri is not the one that this application has registered")
	}
	return req, req.mayEnter()
}

// once parses parameters and refuses repeated ones (RFC 6749, 3.1).
func once(raw string) (url.Values, error) {
	params, err := url.ParseQuery(raw)
	if err != nil {
		return nil, hub.Errorf(hub.Invalid, "The address of this page is not well formed")
	}
	for name, values := range params {
		if len(values) > 1 && name != "scopes" {
			return nil, hub.Errorf(hub.Invalid, "The parameter %s is there twice", short(name))
		}
	}
	return params, nil
}

func short(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// mayEnter says whether the person may use what the client stands for at all, before anything is promised.
func (req *request) mayEnter() error {
	var may bool
	switch c := req.client; {
	case !c.Server.IsZero():
		may = req.actor.May("access:servers", rbac.ServerResource(c.Server))
	case c.Service != "":
		may = req.actor.May("access:services", rbac.ServiceResource(c.Service))
	default:
		return hub.Errorf(hub.Unknown, "client %s is neither a server's nor a service's", c.ID)
	}
	if !may {
		return hub.Errorf(hub.Forbidden, "You do not have permission to access %s", req.client.Description)
	}
	return nil
}

// validate checks what the client asks for besides scopes.
func (req *request) validate(requirePKCE bool) error {
	switch req.params.Get("response_type") {
	case "code":
	case "":
		return &refusal{"invalid_request", "Missing response_type parameter."}
	default:
		return &refusal{"unsupported_response_type", "The only response_type is code."}
	}
	challenge, method := req.params.Get("code_challenge"), req.params.Get("code_challenge_method")
	switch {
	case challenge == "" && requirePKCE:
		return &refusal{"invalid_request", "Code challenge required."}
	case len(challenge) > maxVerifier:
		return &refusal{"invalid_request", "Code challenge too long."}
	case challenge != "" && method != "" && method != methodS256 && method != methodPlain:
		return &refusal{"invalid_request", "Transform algorithm not supported."}
	}
	return nil
}

// answer sends the browser back to the client with what it shall know. The location is the registered text itself, byte
// by byte, which may be a bare path.
func (req *request) answer(w http.ResponseWriter, params url.Values) {
	if req.params.Has("state") {
		params.Set("state", req.state)
	}
	to, glue := req.redirect, "?"
	if strings.Contains(to, "?") {
		glue = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to+glue+params.Encode())
	w.WriteHeader(http.StatusFound)
}

// refuse tells the client of a refusal, and returns every other error for the person.
func (req *request) refuse(w http.ResponseWriter, err error) error {
	e, ok := err.(*refusal)
	if !ok {
		return err
	}
	params := url.Values{"error": {e.code}}
	if e.text != "" {
		params.Set("error_description", e.text)
	}
	req.answer(w, params)
	return nil
}
