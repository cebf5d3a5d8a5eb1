package api

import (
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// routes answers GET /hub/api/proxy: an object of routes by their prefix.
func (room *Room) routes(w http.ResponseWriter, r *http.Request) error {
	p, err := room.pageOf(r)
	if err != nil {
		return err
	}
	all, err := room.Proxy.Routes(r.Context())
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b hub.Route) int { return strings.Compare(a.Spec, b.Spec) })
	items := map[string]client.ProxyRoute{}
	for _, route := range cut(all, p) {
		items[route.Spec] = client.ProxyRoute{Routespec: route.Spec, Target: route.Target, Data: routeData(route)}
	}
	return writeJSON(w, http.StatusOK, p.of(items, len(all)))
}

// routeData is what a route is for, in the words that configurable-http-proxy keeps for a hub.
func routeData(route hub.Route) map[string]any {
	data := map[string]any{"last_activity": client.At(route.LastActivity)}
	switch {
	case route.Hub:
		data["hub"] = true
	case route.Service != "":
		data["service"] = route.Service
	case !route.Server.IsZero():
		data["user"], data["server_name"] = route.Server.User, route.Server.Server
	default:
		data["extra"] = true
	}
	return data
}

// resync answers POST /hub/api/proxy.
func (room *Room) resync(w http.ResponseWriter, r *http.Request) error {
	if err := room.Daemon.Resync(r.Context()); err != nil {
		return err
	}
	return blank(w, http.StatusOK, "application/json")
}
