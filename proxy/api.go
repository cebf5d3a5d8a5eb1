package proxy

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/descriptor"
)

// maxBody is what a route's data may take, in bytes.
const maxBody = 1 << 20

// api is configurable-http-proxy's REST API with what is ours beside it:
//
//	GET            /api/routes[?inactive_since=]    the table
//	GET            /api/routes/PATH                 one route
//	POST           /api/routes/PATH                 sets one: its data, with the target
//	DELETE         /api/routes/PATH                 removes one
//	POST           /api/sessions/SHA256/end         ends a session's WebSockets and, for ten minutes, its cookies
//	               …?spec=PATH&until=TIME           at one route: its WebSockets there, and what the server knows of it
//	POST           /api/tokens/end                  ends tokens, as sessions: {"tokens": [SHA256, …]}
//	POST           /api/tokens/SHA256/anew          has servers ask anew what a token opens; its WebSockets close but at {"stay": [PATH, …]}
//	POST           /api/reload[?check=1]            reads the configuration again, or only checks it
//	GET            /metrics                         for Prometheus
//
// Errors are JSON objects with a message. Content-Type is not looked at: JupyterHub sends several.
type api struct {
	*Proxy
}

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() { a.called(r, counted) }()
	if !a.mayEnter(r) {
		if r.ContentLength != 0 {
			w.Header()["Connection"] = []string{"close"} // otherwise net/http reads the body first
		}
		refuse(counted, hub.Errorf(hub.Forbidden, "the proxy's API is for the hub"))
		return
	}
	a.calls.serve(counted, r, func() { a.answer(counted, r) })
}

func (a api) answer(counted *statusWriter, r *http.Request) {
	path, _ := splitTarget(r.RequestURI)
	switch {
	case path == "/api/routes" || strings.HasPrefix(path, "/api/routes/"):
		a.routes(counted, r, strings.TrimPrefix(path, "/api/routes"))
	case path == "/api/tokens/end":
		a.endTokens(counted, r)
	case strings.HasPrefix(path, "/api/tokens/") && strings.HasSuffix(path, "/anew"):
		a.askAboutToken(counted, r, strings.TrimSuffix(strings.TrimPrefix(path, "/api/tokens/"), "/anew"))
	case strings.HasPrefix(path, "/api/sessions/") && strings.HasSuffix(path, "/end"):
		a.endSession(counted, r, strings.TrimSuffix(strings.TrimPrefix(path, "/api/sessions/"), "/end"))
	case path == "/api/reload":
		a.reload(counted, r)
	case path == "/metrics":
		if allowed(counted, r, http.MethodGet) {
			a.metrics.handler().ServeHTTP(counted, r)
		}
	default:
		refuse(counted, hub.Errorf(hub.NotFound, "no such call"))
	}
}

// mayEnter admits the peers of a Unix socket whose uid is on the list, and whoever knows the token. The token is compared
// before anything of the body is read.
func (a api) mayEnter(r *http.Request) bool {
	if r.Context().Value(callerKey) != nil {
		return true
	}
	if uid, ok := r.Context().Value(peerKey).(int64); ok && slices.Contains(a.options.APIPeers, uid) {
		return true
	}
	if a.options.APIToken == "" {
		return a.options.APIOpen
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "token ")
	return ok && subtle.ConstantTimeCompare([]byte(strings.TrimLeft(token, " ")), []byte(a.options.APIToken)) == 1
}

// apiPeer returns the uid of a Unix socket's peer, for mayEnter.
func apiPeer(c net.Conn) (int64, bool) {
	for {
		above, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = above.NetConn()
	}
	who, ok := descriptor.Peer(c)
	return int64(who.Uid), ok
}

// hostsHeader says to our hub where we take it to be: at an origin of several hosts, or at oneHost. If it knows better, one of us was
// not started again after the configuration changed, and what it put into the table would lead nowhere.
const (
	hostsHeader = "Jupyterhub-Hosts"
	oneHost     = "one"
)

func (a api) routes(w http.ResponseWriter, r *http.Request, path string) {
	if a.options.HubBase != "" {
		w.Header().Set(hostsHeader, cmp.Or(a.options.HubOrigin, oneHost))
	}
	asked, err := readKey(path, a.options.HostRouting)
	if err != nil {
		refuse(w, err)
		return
	}
	switch r.Method {
	case http.MethodGet:
		a.metrics.routeGet.Inc()
		a.getRoutes(w, r, path, asked.key)
	case http.MethodPost:
		a.metrics.routeAdd.Inc()
		a.postRoute(w, r, path)
	case http.MethodDelete:
		a.metrics.routeDelete.Inc()
		a.deleteRoute(w, asked.key)
	default:
		allowed(w, r, http.MethodGet, http.MethodPost, http.MethodDelete)
	}
}

func (a api) getRoutes(w http.ResponseWriter, r *http.Request, path, key string) {
	if strings.Trim(path, "/") != "" {
		if one := a.table.get(key); one != nil {
			writeJSON(w, http.StatusOK, one)
			return
		}
		refuse(w, hub.Errorf(hub.NotFound, "there is no such route"))
		return
	}
	before, err := inactiveSince(r)
	if err != nil {
		refuse(w, err)
		return
	}
	out := map[string]*route{}
	for key, one := range a.table.all() {
		if before.IsZero() || one.up.lastActivity().Before(before) {
			out[key] = one
		}
	}
	writeJSON(w, http.StatusOK, out)
}

// inactiveSince reads the filter under both of its names; zero is none.
func inactiveSince(r *http.Request) (time.Time, error) {
	for _, name := range []string{"inactive_since", "inactiveSince"} {
		v := r.URL.Query().Get(name)
		if v == "" {
			continue
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, nil
			}
		}
		return time.Time{}, hub.Errorf(hub.Invalid, "%s is no ISO 8601 time", name)
	}
	return time.Time{}, nil
}

func (a api) postRoute(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, hub.Errorf(hub.TooLarge, "a route's data has at most %d bytes", maxBody))
		return
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(body, &data); err != nil || data == nil {
		refuse(w, hub.Errorf(hub.Invalid, "the body is no JSON object"))
		return
	}
	if err := a.Add(path, data); err != nil {
		refuse(w, err)
		return
	}
	a.kept()
	w.WriteHeader(http.StatusCreated)
}

func (a api) deleteRoute(w http.ResponseWriter, key string) {
	if !a.remove(key) {
		refuse(w, hub.Errorf(hub.NotFound, "there is no such route"))
		return
	}
	a.kept()
	w.WriteHeader(http.StatusNoContent)
}

func (a api) endSession(w http.ResponseWriter, r *http.Request, name string) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	id, err := readSessionID(name)
	if err != nil {
		refuse(w, err)
		return
	}
	if q := r.URL.Query(); q.Has("spec") {
		err = a.endVisit(id, q.Get("spec"), q.Get("until"))
	} else {
		a.end(id)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	a.kept()
	w.WriteHeader(http.StatusNoContent)
}

// endVisit ends a session at the route of a path as /api/routes has it. The server there gets another name for it until a time, at
// which the session should be over; without one, as long as a whole session's end is remembered.
func (a api) endVisit(id sessionID, spec, until string) error {
	asked, err := readKey(spec, a.options.HostRouting)
	if err != nil {
		return err
	}
	now := a.options.Now()
	over := now.Add(endedFor)
	if until != "" {
		if over, err = time.Parse(time.RFC3339, until); err != nil {
			return hub.Errorf(hub.Invalid, "until is no time as RFC 3339 writes it")
		}
	}
	a.turnAway(asked.key, id, newAlias(now, over))
	return nil
}

func (a api) reload(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	if a.options.Reload == nil {
		refuse(w, hub.Errorf(hub.NotFound, "there is nothing to reload"))
		return
	}
	check := r.URL.Query().Get("check")
	changes, err := a.options.Reload(r.Context(), check != "" && check != "0")
	if err != nil {
		refuse(w, hub.Errorf(hub.Invalid, "%w", err))
		return
	}
	writeJSON(w, http.StatusOK, map[string][]string{"changes": append([]string{}, changes...)})
}

// kept writes the state file. A disk that is full must not stop the routing: the change stands, and is written with the next.
func (a api) kept() {
	if err := a.ledger.save(); err != nil {
		a.options.Log.Error().Err(err).Msg("the table is not on disk, ignoring")
	}
}

// allowed answers 405 to a method that is none of these.
func allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	writeJSON(w, http.StatusMethodNotAllowed, problem{Status: http.StatusMethodNotAllowed, Text: "this call has no such method"})
	return false
}

// statusOf is the table from kinds of error to what the API answers.
var statusOf = map[hub.Kind]int{
	hub.Invalid:   http.StatusBadRequest,
	hub.Forbidden: http.StatusForbidden,
	hub.NotFound:  http.StatusNotFound,
	hub.TooLarge:  http.StatusRequestEntityTooLarge,
}

func refuse(w http.ResponseWriter, err error) {
	if counted, ok := w.(*statusWriter); ok {
		counted.refusal = err
	}
	status, ok := statusOf[hub.KindOf(err)]
	if !ok {
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, problem{Status: status, Text: hub.TextOf(err)})
}

// statusWriter remembers the status, and why it is one, for the metrics and the log.
type statusWriter struct {
	http.ResponseWriter
	status  int
	refusal error
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
