package oauth

import (
	"net/http"
	"net/url"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// authorize answers GET: a redirect with a code, or the question to the person.
func (room *Room) authorize(w http.ResponseWriter, r *http.Request) error {
	req, err := room.read(r)
	if err != nil {
		return err
	}
	g, granted, err := room.asked(req)
	if err != nil {
		return req.refuse(w, err)
	}
	ok, err := room.agreed(req, g, granted)
	if err != nil {
		return err
	}
	if !ok {
		return room.pages.RenderConfirm(w, r, req.client, g.explain(granted), granted)
	}
	return room.allow(w, req, granted)
}

// asked works out what the query asks for.
func (room *Room) asked(req *request) (*grant, []string, error) {
	if err := req.validate(room.requirePKCE); err != nil {
		return nil, nil, err
	}
	g := newGrant(room.policy(), req)
	if !req.params.Has("scope") {
		granted, err := g.settle(g.everything())
		return g, granted, err
	}
	wanted := words(req.params.Get("scope"))
	if len(wanted) == 0 {
		return nil, nil, &refusal{"invalid_scope", "The scope is empty."}
	}
	scopes, err := g.named(wanted)
	if err != nil {
		return nil, nil, err
	}
	granted, err := g.settle(scopes)
	return g, granted, err
}

// confirm answers POST: the person pressed the button. The porter has compared the XSRF token; everything else is checked
// again, since the form's fields are whatever came.
func (room *Room) confirm(w http.ResponseWriter, r *http.Request) error {
	req, err := room.read(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return hub.Errorf(hub.Invalid, "The form is not well formed")
	}
	if err := req.validate(room.requirePKCE); err != nil {
		return req.refuse(w, err)
	}
	g := newGrant(room.policy(), req)
	scopes, err := g.named(r.PostForm["scopes"])
	if err != nil {
		return req.refuse(w, err)
	}
	granted, err := g.settle(scopes)
	if err != nil {
		return req.refuse(w, err)
	}
	return room.allow(w, req, granted)
}

// allow makes the code and sends it to the client by way of the browser.
func (room *Room) allow(w http.ResponseWriter, req *request, granted []string) error {
	code := hub.Code{
		Client: req.client.ID, User: req.actor.User.Name, Session: req.actor.Session.ID, RedirectURI: req.redirect, Scopes: granted,
		Challenge: req.params.Get("code_challenge"), ChallengeMethod: req.params.Get("code_challenge_method"), Expires: room.now().Add(codeTTL),
	}
	var value string
	var told bool
	visit := hub.Visit{Server: req.client.Server.Server, By: code.User, At: room.now().UTC()}
	err := room.store.Update(func(tx *store.Tx) (err error) {
		if value, err = tx.NewCode(code); err == nil {
			told, err = visited(tx, req, visit)
		}
		return err
	})
	if err != nil {
		return err
	}
	if told {
		room.entered(req.client.Server, visit)
	}
	req.answer(w, url.Values{"code": {value}})
	return nil
}
