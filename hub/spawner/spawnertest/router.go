package spawnertest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"jupyterhubd/hub"
)

// Router is a proxy's table, in memory.
type Router struct {
	mu    sync.Mutex // guards the rest
	away  bool
	table map[string]hub.Route
	edits []string
}

// NewRouter returns a table that holds the routes.
func NewRouter(routes ...hub.Route) *Router {
	r := &Router{table: map[string]hub.Route{}}
	for _, route := range routes {
		r.table[route.Spec] = route
	}
	return r
}

// Away lets the proxy not answer, or answer again.
func (r *Router) Away(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// Add adds or replaces a route.
func (r *Router) Add(_ context.Context, route hub.Route) error {
	return r.edit("add "+route.Spec, func() { r.table[route.Spec] = route })
}

// Delete removes a route.
func (r *Router) Delete(_ context.Context, spec string) error {
	return r.edit("delete "+spec, func() { delete(r.table, spec) })
}

func (r *Router) edit(what string, do func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return errAway()
	}
	r.edits = append(r.edits, what)
	do()
	return nil
}

// Routes returns the table, sorted.
func (r *Router) Routes(context.Context) ([]hub.Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return nil, errAway()
	}
	var routes []hub.Route
	for _, route := range r.table {
		routes = append(routes, route)
	}
	slices.SortFunc(routes, func(a, b hub.Route) int { return strings.Compare(a.Spec, b.Spec) })
	return routes, nil
}

// Specs returns what is routed, sorted.
func (r *Router) Specs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var specs []string
	for spec := range r.table {
		specs = append(specs, spec)
	}
	slices.Sort(specs)
	return specs
}

// Put changes the table behind everybody's back.
func (r *Router) Put(route hub.Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table[route.Spec] = route
}

// Edits returns what was changed through Add and Delete so far: "add /user/alice/".
func (r *Router) Edits() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.edits)
}
