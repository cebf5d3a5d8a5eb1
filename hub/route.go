package hub

import "time"

// Route leads a path prefix to a target. The proxy keeps them by prefix; the hub derives them and never stores them.
type Route struct {
	Spec         string    // routespec: "/user/alice/", or "alice.hub.example/user/alice/"; escaped as in URLs, with a slash at the end
	Target       string    // http://127.0.0.1:8888, or http+unix://%2Frun%2Fjupyter%2F0123456789abcdef%2Fs
	UID          int64     // who must be listening at a Unix socket target; NoUID where it does not matter
	Hub          bool      // the hub's own route
	Server       ServerRef // the server's route
	Service      string    // the service's route
	Wake         string    // path at the hub that wakes the server, while it sleeps
	LastActivity time.Time // as the proxy saw it
}
