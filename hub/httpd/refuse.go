package httpd

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// refuse is the one place where an error becomes an answer: JSON for programs, a page for people.
func (h *Hall) refuse(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	half := v.status != 0
	gone, closing := gone(r, err)
	if half || gone && !closing {
		panic(http.ErrAbortHandler) // cut what is out already, so that nobody takes it for a whole answer, or nothing for "200"
	}
	if closing {
		err = errClosing
	}
	if v.login && hub.KindOf(err) == hub.Unauthenticated && r.Method == http.MethodGet {
		h.sendToLogin(w, r)
		return
	}
	status, stopped := statusOf(err), hub.KindOf(err) == hub.NotRunning
	if stopped {
		status = h.stopped
	}
	var e *hub.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	switch {
	case v.api:
		writeJSON(w, status, client.ErrorBody{Status: status, Message: message(err, status), Cause: causeOf(err)})
	case stopped && auth.WantsJSON(r):
		// A stopped server's API is asked for by programs that know its errors, which have a message and no status.
		writeJSON(w, status, struct {
			Message string `json:"message"`
		}{message(err, status)})
	default:
		h.pages.RenderError(w, r, status, err)
	}
}

// sendToLogin sends a browser to the login page, which sends it back to where it was going.
func (h *Hall) sendToLogin(w http.ResponseWriter, r *http.Request) {
	target := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", h.base+"hub/login?next="+url.QueryEscape(target))
	w.WriteHeader(http.StatusFound)
}

// message returns what may be told: the error's own sentence, unless the fault is ours.
func message(err error, status int) string {
	if c := causeOf(err); c != nil && status >= http.StatusInternalServerError {
		return c.Message
	}
	if text := hub.TextOf(err); text != "" && status != http.StatusInternalServerError {
		return text
	}
	return http.StatusText(status)
}

func causeOf(err error) *hub.Cause {
	var e *hub.Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return nil
}

func tooLarge(err error) bool {
	var e *http.MaxBytesError
	return errors.As(err, &e)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"status": 500, "message": "Internal Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}
