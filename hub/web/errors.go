package web

import (
	"errors"
	"net/http"

	"jupyterhubd/hub"
)

type errorPage struct {
	Layout
	Status  int
	Message string
	Hint    string // what a person can do
	Cause   *hub.Cause
}

// hints say what a person can do about a refusal that says little.
var hints = map[int]string{
	http.StatusForbidden:           "If you think that you should be let in, ask whoever administers this hub.",
	http.StatusNotFound:            "There is nothing at this address, or nothing that you may see.",
	http.StatusInternalServerError: "The hub's journal says more. Please tell whoever administers this hub when it happened.",
	http.StatusServiceUnavailable:  "It may be better in a moment: load the page again.",
}

// RenderError writes the page of a refusal. The hall has decided the status; what happened inside is not shown.
func (room *Room) RenderError(w http.ResponseWriter, r *http.Request, status int, err error) {
	if room.renderError(w, r, status, err) != nil { // a template is broken
		http.Error(w, http.StatusText(status), status)
	}
}

func (room *Room) renderError(w http.ResponseWriter, r *http.Request, status int, err error) error {
	var s stopped
	if errors.As(err, &s) {
		p := notRunningPage{Layout: room.bare(r, "Your server is not running"), Ref: s.ref, Cause: s.cause, SpawnURL: withNext(room.toSpawn(s.ref), s.next)}
		p.Own = s.ref.User == p.User
		if s.cause != nil {
			p.Refresh = refreshOf(s.cause)
		}
		if p.Own && room.ImplicitSpawn > 0 && s.cause == nil {
			p.Refresh, p.Onwards = max(1, int(room.ImplicitSpawn.Seconds())), p.SpawnURL
		}
		return room.show(w, status, "not-running", p)
	}
	text := http.StatusText(status)
	if text == "" {
		text = "Error"
	}
	p := errorPage{Layout: room.bare(r, text), Status: status, Hint: hints[status]}
	var e *hub.Error
	if errors.As(err, &e) {
		p.Cause = e.Cause
	}
	if told := hub.TextOf(err); told != text && (status != http.StatusInternalServerError || p.Cause != nil) {
		p.Message = told
	}
	if status == http.StatusNotFound && p.Message != "" {
		p.Hint = "" // that says more
	}
	return room.show(w, status, "error", p)
}
