package proxy

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// problem is an answer of the proxy's own.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"-"`
	Text   string `json:"message"`
	after  time.Duration
	plain  bool // nobody is asked for a page
}

// retryAfter is when an upstream that is away may be asked again.
const retryAfter = 5 * time.Second

var (
	noRoute = problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is nothing at this address."}
	noHub   = problem{Status: http.StatusServiceUnavailable, Title: "JupyterHub is away",
		Text:  "JupyterHub does not answer just now; most likely it is being restarted. Servers that run go on running, and pages that are open can be worked in. Load this page again in a few seconds.",
		after: retryAfter}
	noServer = problem{Status: http.StatusServiceUnavailable, Title: "The server does not answer",
		Text:  "The server behind this address does not answer; it may be starting or stopping. Load this page again in a few seconds.",
		after: retryAfter}
	tooSlow   = problem{Status: http.StatusRequestTimeout, Title: "Nothing comes", Text: "The rest of the request did not come.", plain: true}
	noTunnels = problem{Status: http.StatusMethodNotAllowed, Title: "Not a forward proxy", Text: "This proxy connects to nothing but JupyterHub and its servers."}
)

// refused is the answer to a request that cannot be read.
func refused(err error) problem {
	return problem{Status: http.StatusBadRequest, Title: "Bad request", Text: "The request cannot be read: " + hub.TextOf(err) + "."}
}

// fail answers in the place of an upstream that did not.
func (p *Proxy) fail(w http.ResponseWriter, ps *passage, err error) {
	if ps.malformed.Load() {
		p.answer(w, ps, refused(hub.Errorf(hub.Invalid, "its body is malformed")))
		return
	}
	if ps.stalled.Load() {
		w.Header()["Connection"] = []string{"close"}
		p.answer(w, ps, tooSlow)
		return
	}
	if ps.in.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	if errors.Is(err, errAsleep) {
		p.answer(w, ps, sleeping)
		return
	}
	ps.failure = err
	p.tell(ps.route, err)
	if ps.route.isHub() {
		p.answer(w, ps, noHub)
		return
	}
	p.answer(w, ps, noServer)
}

// tell logs that a route's target does not answer, loudly when somebody else does.
func (p *Proxy) tell(r *route, err error) {
	if p.options.Manners.StandIn || r.up.toldLately(p.options.Now()) {
		return
	}
	event, stranger := p.options.Log.Info(), new(strangerError)
	if errors.As(err, &stranger) {
		event = p.options.Log.Warn()
	}
	event.Str("user", r.about.User).Str("server", r.about.ServerName).Str("route", r.key).Err(err).Msg("the target of a route does not answer")
}

// answer writes a problem as JSON to programs and as a page to people. ps has no route yet when none was found.
func (p *Proxy) answer(w http.ResponseWriter, ps *passage, what problem) {
	p.metrics.proxied(what.Status)
	p.failed(ps, what)
	h := w.Header()
	if wantsWebSocket(ps.in) {
		h["Connection"] = []string{"close"}
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if what.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int(what.after.Seconds())))
	}
	if wantsJSON(ps) {
		writeJSON(w, what.Status, what)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	if !what.plain {
		if page := p.pageFor(ps, what.Status); page != nil {
			page.write(w, what.Status)
			return
		}
	}
	w.WriteHeader(what.Status)
	problemPage.Execute(w, what)
}

// wantsJSON reports whether a program asks: it says so, or it uses an API, as the hub decides it too.
func wantsJSON(ps *passage) bool {
	accept := strings.Join(ps.in.Header["Accept"], ",")
	if strings.Contains(accept, "text/html") {
		return false
	}
	return strings.Contains(accept, "json") || strings.Contains(ps.place.decoded+"/", "/api/")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

var problemPage = template.Must(template.New("problem").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p><p><small>{{.Status}}</small></p></main></body>
</html>
`))
