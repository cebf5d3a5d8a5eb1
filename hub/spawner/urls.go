package spawner

import (
	"fmt"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/hosts"
)

// URLs is where things are found.
type URLs struct {
	Base   string // JupyterHub.base_url: "/" or "/jh/"
	Hub    string // the route's target for the hub itself: http+unix://%2Frun%2Fjupyterhub%2Fhub.sock
	API    string // scheme and host at which servers reach the token API: http://127.0.0.1:8081
	Public string // scheme and host at which browsers reach us, if it was configured: https://jupyter.example.org
	Hosts  hosts.Hosts

	CookieHostPrefix bool // servers put __Host- before their cookies' names
}

// serverAddress is what a server believes to listen at: port 8888 is the one that lets an unmodified jupyter-server take a
// Unix socket instead.
const serverAddress = "http://127.0.0.1:8888"

// Prefix returns the path under which a server is found: base_url, "user", its names, a slash.
func (u URLs) Prefix(ref hub.ServerRef) string {
	prefix := u.Base + "user/" + EscapeName(ref.User) + "/"
	if ref.Server != "" {
		prefix += EscapeName(ref.Server) + "/"
	}
	return prefix
}

// Server is where browsers find a server: its path, after a host of its user's where there are such.
func (u URLs) Server(ref hub.ServerRef) string { return u.Hosts.User(ref.User) + u.Prefix(ref) }

// service is the path under which a service is found.
func (u URLs) service(name string) string { return u.Base + "services/" + EscapeName(name) + "/" }

// hubSpec is the routespec of the hub, which answers at every host, where there are several, for what has no route.
func (u URLs) hubSpec() string {
	if u.Hosts.Apart() {
		return "/"
	}
	return u.Base
}

// serverSpec is the routespec of a server.
func (u URLs) serverSpec(ref hub.ServerRef) string { return u.Hosts.UserHost(ref.User) + u.Prefix(ref) }

// Routespec is where the proxy has what an OAuth client stands for.
func (u URLs) Routespec(c hub.Client) string {
	if c.Service != "" {
		return u.serviceSpec(c.Service)
	}
	return u.serverSpec(c.Server)
}

// serviceSpec is the routespec of a service.
func (u URLs) serviceSpec(name string) string { return u.Hosts.ServiceHost(name) + u.service(name) }

func (u URLs) api() string { return u.API + u.Base + "hub/api" }

// wake is where the proxy asks for a server that sleeps.
func (u URLs) wake(ref hub.ServerRef) string {
	path := u.Base + "hub/api/users/" + EscapeName(ref.User) + "/server"
	if ref.Server != "" {
		path += "s/" + EscapeName(ref.Server)
	}
	return path + "/wake"
}

// route is where a server's requests go.
func (u URLs) route(ref hub.ServerRef, unit hub.Unit) hub.Route {
	return hub.Route{Spec: u.serverSpec(ref), Target: "http+unix://" + quote(unit.Socket, "_.-~"), UID: unit.UID, Server: ref}
}

// EscapeName writes a name as one segment of a URL's path, as JupyterHub does: @ and ~ stay as they are.
func EscapeName(name string) string { return quote(name, "_.-~@") }

// quote percent-encodes all bytes but letters, digits and those in safe.
func quote(s, safe string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
