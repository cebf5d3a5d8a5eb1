package auth

import (
	"net/http"

	"jupyterhubd/hub/rbac"
)

// Style is how a route talks to who comes: what identifies them, how XSRF is checked, how a refusal looks.
type Style uint8

// The styles of routes.
const (
	API   Style = iota // JSON; tokens, or cookies with XSRF as specification 3.7 has it for API handlers
	Page               // HTML; cookies (and admin-socket peers) alone: a token is nobody here; strangers are sent to log in
	Mixed              // HTML rules, tokens too: /metrics, /hub/user/…
)

// Authenticated in a row's Scopes stands for "anybody who is known".
const Authenticated = "authenticated"

// Route is one row of a door plate. There is no row without Scopes or Public.
type Route struct {
	Method  string   // "GET"; empty means all
	Pattern string   // net/http.ServeMux's way of writing, on the escaped path, relative to base_url: "/hub/api/users/{user}"
	Scopes  []string // any of these opens the route for Resource
	// Resource is what the request is about, for the scopes' filters; nil means the whole house, which a filtered scope
	// never opens.
	Resource func(*http.Request) rbac.Resource
	Public   bool // anybody, strangers too; the actor is attached all the same
	Style    Style
	// Everywhere lets a page be seen at the hosts of users and services too, where everybody is a stranger. The API is at all hosts,
	// for tokens.
	Everywhere bool
	Changes    bool // a GET that changes something, or gives away what the audit log must tell of
	NoXSRF     bool // never checked here: the handler has its own proof, or changes nothing and shows nothing
	// Handle decodes, acts and encodes, or returns an error of package hub, which the hall writes.
	Handle func(http.ResponseWriter, *http.Request) error
}
