package web

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// spawnPage lets choose among profiles.
type spawnPage struct {
	Layout
	Ref      hub.ServerRef
	Own      bool
	Action   string
	Form     template.HTML // the configuration's own fields; empty: those of Profiles
	Profiles []hub.Offer
	Preset   bool // one of the profiles is what starts when none is chosen
	Chosen   string
	Error    string
}

// spawn answers GET /hub/spawn[/U[/S]]: it starts a server, or asks for the profile where there is a choice. Options may
// come in the address, each key with "opt-" before it (specification 4.2).
func (room *Room) spawn(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	live, err := room.Workshop.Server(ref)
	if err != nil && (ref.Server == "" || hub.KindOf(err) != hub.NotFound) {
		return err
	}
	switch {
	case live.State.Ready():
		return redirect(w, http.StatusFound, room.Porter.Next(r, live.URL))
	case live.State.Active():
		return redirect(w, http.StatusFound, room.onwards(r, ref))
	}
	asked, err := optionsOf(r.URL.Query())
	if err != nil {
		return err
	}
	offers := room.offers(r.Context(), ref.User)
	if room.asks(offers) && asked == nil {
		return room.showSpawn(w, r, http.StatusOK, spawnPage{Ref: ref, Chosen: live.Profile, Profiles: offers})
	}
	return room.spawnNow(w, r, ref, asked, offers, nil)
}

// asks reports whether there is something to ask before a server starts.
func (room *Room) asks(offers []hub.Offer) bool { return len(offers) > 0 || room.form != "" }

// spawnForm answers POST /hub/spawn[/U[/S]]: the form's fields are the options.
func (room *Room) spawnForm(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	if err := parseForm(r); err != nil {
		return err
	}
	live, err := room.Workshop.Server(ref)
	if err != nil && (ref.Server == "" || hub.KindOf(err) != hub.NotFound) {
		return err
	}
	if live.State.Active() {
		return hub.Errorf(hub.Invalid, "%s is running already or about to", ref)
	}
	asked := map[string][]string(r.PostForm)
	delete(asked, "_xsrf")
	offers := room.offers(r.Context(), ref.User)
	var none json.RawMessage // what an empty form means: as the last time, unless there was something to choose
	if room.asks(offers) {
		none = json.RawMessage("{}")
	}
	return room.spawnNow(w, r, ref, asked, offers, none)
}

// spawnNow starts a server with what was asked for, none where that is nothing, and shows how it goes. What is refused at once
// is told on the form, where there is one.
func (room *Room) spawnNow(w http.ResponseWriter, r *http.Request, ref hub.ServerRef, asked map[string][]string, offers []hub.Offer, none json.RawMessage) error {
	profile := ""
	if len(asked["profile"]) > 0 {
		profile = asked["profile"][0]
	}
	delete(asked, "profile")
	options, err := room.answersTo(offers, profile, asked)
	if err != nil {
		return err
	}
	if options == nil {
		options = none
	}
	err = room.createNamed(ref, r.URL.Query().Get("display_name"))
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), settle)
		defer cancel()
		err = room.start(ctx, ref, profile, options)
	}
	if status, told := refusals[hub.KindOf(err)]; err != nil && told && room.asks(offers) && hub.TextOf(err) != "" {
		return room.showSpawn(w, r, status, spawnPage{Ref: ref, Chosen: profile, Profiles: offers, Error: hub.TextOf(err)})
	}
	if err != nil {
		return err
	}
	return redirect(w, http.StatusFound, room.onwards(r, ref))
}

// createNamed makes a named server that has a display name and is not there yet.
func (room *Room) createNamed(ref hub.ServerRef, displayName string) error {
	if ref.Server == "" || displayName == "" {
		return nil
	}
	if _, err := room.Workshop.Server(ref); hub.KindOf(err) != hub.NotFound {
		return err
	}
	_, err := room.Workshop.Create(ref, displayName)
	return err
}

// start starts a server and waits for a moment, so that a quick one is ready and a quick failure known when the next page is
// made. A failure is no error here: that page tells it.
func (room *Room) start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) error {
	if _, err := room.Workshop.Start(ctx, ref, profile, options); err != nil {
		return err
	}
	_, err := room.Workshop.Wait(ctx, ref)
	var e *hub.Error
	if ctx.Err() != nil || errors.As(err, &e) && e.Cause != nil {
		return nil
	}
	return err
}

// onwards is the pending page with the query kept, except for what the start has used up.
func (room *Room) onwards(r *http.Request, ref hub.ServerRef) string {
	q := r.URL.Query()
	q.Del("display_name")
	q.Del("_xsrf")
	if len(q) == 0 {
		return room.toPending(ref)
	}
	return room.toPending(ref) + "?" + q.Encode()
}

func (room *Room) showSpawn(w http.ResponseWriter, r *http.Request, status int, p spawnPage) error {
	p.Layout = room.layout(w, r, "spawn", "Start a server")
	p.Own = p.Ref.User == auth.FromContext(r.Context()).Owner.Name
	p.Action, p.Form = room.toSpawn(p.Ref)+query(r), room.form
	at := slices.IndexFunc(p.Profiles, func(o hub.Offer) bool { return o.Default })
	if p.Preset = at >= 0; p.Preset && p.Chosen == "" {
		p.Chosen = p.Profiles[at].Name
	}
	return room.show(w, status, "spawn", p)
}

// optionsOf reads a spawn address. With any "opt-" key only those count, else all that are not our own (deprecated in
// JupyterHub 6). Nil means that none was given.
func optionsOf(q url.Values) (map[string][]string, error) {
	prefixed, plain := map[string][]string{}, map[string][]string{}
	for key, values := range q {
		name, marked := strings.CutPrefix(key, "opt-")
		switch {
		case marked && name == "":
			return nil, hub.Errorf(hub.Invalid, "opt- needs the name of an option")
		case marked:
			prefixed[name] = values
		case key != "next" && key != "display_name" && key != "_xsrf" && key != "redirects":
			plain[key] = values
		}
	}
	switch {
	case len(prefixed) > 0:
		return prefixed, nil
	case len(plain) > 0:
		return plain, nil
	}
	return nil, nil
}
