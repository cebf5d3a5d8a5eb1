package client

import (
	"net/url"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// data is a route's data on the wire, in JupyterHub's words; uid is ours.
type data struct {
	Target       string    `json:"target"`
	JupyterHub   bool      `json:"jupyterhub"`
	Hub          bool      `json:"hub,omitempty"`
	User         string    `json:"user,omitempty"`
	ServerName   *string   `json:"server_name,omitempty"` // "" is the default server's name
	Service      string    `json:"service,omitempty"`
	Extra        bool      `json:"extra,omitempty"`
	UID          *int64    `json:"uid,omitempty"`
	Wake         string    `json:"wake,omitempty"` // ours, too
	LastActivity time.Time `json:"last_activity,omitzero"`
}

func dataOf(r hub.Route) data {
	d := data{Target: r.Target, JupyterHub: true, Hub: r.Hub, User: r.Server.User, Service: r.Service, Wake: r.Wake}
	if r.Server.User != "" {
		d.ServerName = &r.Server.Server
	}
	d.Extra = !r.Hub && r.Server.User == "" && r.Service == ""
	if r.UID != hub.NoUID {
		d.UID = &r.UID
	}
	return d
}

// route is the inverse of dataOf.
func (d data) route(spec string) hub.Route {
	r := hub.Route{Spec: spec, Target: d.Target, UID: hub.NoUID, Hub: d.Hub, Service: d.Service, Wake: d.Wake, LastActivity: d.LastActivity}
	if d.User != "" {
		r.Server.User = d.User
		if d.ServerName != nil {
			r.Server.Server = *d.ServerName
		}
	}
	if d.UID != nil {
		r.UID = *d.UID
	}
	return r
}

// pathOf returns where the API has the route of a routespec.
func (c *Client) pathOf(spec string) (string, error) {
	path, ok := strings.CutSuffix(spec, "/")
	if c.byHost && spec != "/" {
		ok, path = ok && spec[0] != '/', "/"+path
	}
	if !ok || path != "" && path[0] != '/' || strings.Contains(spec, "//") || strings.ContainsAny(spec, "?#\\ ") {
		return "", hub.Errorf(hub.Invalid, "the routespec %q is not a path from slash to slash, after a host where the proxy goes by hosts", spec)
	}
	if _, err := url.PathUnescape(spec); err != nil {
		return "", hub.Errorf(hub.Invalid, "the routespec %q is not escaped as in URLs", spec)
	}
	if path == "" {
		path = "/" // configurable-http-proxy never answers a DELETE without it
	}
	return "/api/routes" + path, nil
}

// specOf spells a key of the API, which is decoded, as a routespec: escaped as JupyterHub does it, where "@" and "~" are
// literal.
func (c *Client) specOf(key string) string {
	if c.byHost && key != "/" {
		key = strings.TrimPrefix(key, "/")
	}
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/-._~@", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	if spec := b.String(); strings.HasSuffix(spec, "/") {
		return spec
	}
	b.WriteByte('/')
	return b.String()
}
