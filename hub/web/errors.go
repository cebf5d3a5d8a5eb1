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
	Cause   *hub.Cause
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
	p := errorPage{Layout: room.bare(r, text), Status: status}
	var e *hub.Error
	if errors.As(err, &e) {
		p.Cause = e.Cause
	}
	if told := hub.TextOf(err); told != text && (status != http.StatusInternalServerError || p.Cause != nil) {
		p.Message = told
	}
	return room.show(w, status, "error", p)
}
