package httpd

import (
	"errors"
	"net/http"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// errMethod is the refusal of a method that a path does not have.
var errMethod = errors.New("method not allowed")

// errElsewhere is the refusal of a path that no row has.
var errElsewhere = hub.Errorf(hub.NotFound, "Not Found")

// table is where a path leads: the rows behind one door.
type table struct {
	hall *Hall
	base []string // segments of the base URL, without the last, empty one
	bare bool     // paths without the base URL lead to the same rows
	rows tree
}

func (h *Hall) newTable(api, pages []auth.Route) (*table, error) {
	base, ok := segments(h.base)
	if !ok {
		return nil, errors.New("base URL " + h.base + " is wrongly escaped")
	}
	t := &table{hall: h, base: base[:len(base)-1]}
	for _, rt := range api {
		if err := t.add(&row{Route: rt, api: true}); err != nil {
			return nil, err
		}
	}
	for _, rt := range pages {
		if err := t.add(&row{Route: rt}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *table) add(r *row) error {
	if err := check(r.Route); err != nil {
		return err
	}
	r.handle = t.hall.porter.Guard(r.Route)
	return t.rows.add(r)
}

// ServeHTTP leads a request to its row's handler, and a refusal to the place where refusals are written.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r.Context())
	v.actor, v.request = auth.FromContext(r.Context()), r
	v.who = whoIs(v.actor)
	if from := auth.VisitOf(r).Address; from.IsValid() {
		v.client = from.String()
	}
	if v.err = t.lead(v, w, r); v.err != nil {
		t.hall.refuse(w, r, v, v.err)
	}
}

func (t *table) lead(v *visit, w http.ResponseWriter, r *http.Request) error {
	path, ok := t.path(r)
	if !ok {
		return errElsewhere
	}
	v.api = underAPI(path)
	rows, values := t.rows.find(path, nil)
	if rows == nil {
		return errElsewhere
	}
	at := rows.forMethod(r.Method)
	if at == nil {
		return wrongMethod(w, r, v)
	}
	v.row, v.values = at, values
	v.label, v.api, v.login = at.Pattern, at.api, !at.api && at.Style != auth.API
	for i, name := range at.params {
		r.SetPathValue(name, values[i])
	}
	return at.handle(w, r)
}

// path returns the segments below the base URL.
func (t *table) path(r *http.Request) ([]string, bool) {
	whole, ok := segments(r.URL.EscapedPath())
	if !ok {
		return nil, false
	}
	path, ok := below(whole, t.base)
	if !ok && t.bare {
		return whole, true
	}
	return path, ok
}

func (m methods) forMethod(name string) *row {
	if r := m[name]; r != nil {
		return r
	}
	return m[""]
}

// wrongMethod answers OPTIONS on an API path, as JupyterHub does without asking who it is, and refuses the rest.
func wrongMethod(w http.ResponseWriter, r *http.Request, v *visit) error {
	if r.Method == http.MethodOptions && v.api {
		w.Header().Set("Content-Type", "application/json") // as JupyterHub says of nothing
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return errMethod
}

// underAPI reports whether refusals at a path, known or not, are JSON.
func underAPI(path []string) bool {
	return len(path) >= 2 && path[0] == "hub" && path[1] == "api"
}

func whoIs(a auth.Actor) string {
	if a.Anonymous() {
		return ""
	}
	return string(a.Owner.Kind) + " " + strings.ToValidUTF8(a.Owner.Name, "?")
}
