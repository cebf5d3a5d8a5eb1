package hub

import "time"

// Token opens the API for its owner, within its scopes. Its value is shown once, when it is made; only a hash is kept.
type Token struct {
	ID           uint64    `json:"id"` // shown as "a<ID>"
	Owner        Owner     `json:"owner"`
	Scopes       []string  `json:"scopes"`            // as granted; "inherit" means the owner's
	Client       string    `json:"client,omitempty"`  // OAuth client that it was issued to; empty for plain API tokens
	Session      string    `json:"session,omitempty"` // session id of the browser that it was issued through
	Note         string    `json:"note"`
	Created      time.Time `json:"created"`
	LastActivity time.Time `json:"last_activity,omitzero"`
	Expires      time.Time `json:"expires,omitzero"` // zero: never
	// ServerToken marks the token of a server's own process: what it does is not its user's activity.
	ServerToken bool `json:"server_token,omitempty"`
}

// Owner is a user or a service, the two things that can own a token.
type Owner struct {
	Kind OwnerKind `json:"kind"`
	Name string    `json:"name"`
}

// OwnerKind tells users from services.
type OwnerKind string

// The kinds of owner.
const (
	OwnerUser    OwnerKind = "user"
	OwnerService OwnerKind = "service"
)

// Client is an OAuth client: a user's server or a service.
type Client struct {
	ID            string    `json:"id"` // jupyterhub-user-<name>[-<server>] or service-<name>
	Server        ServerRef `json:"server,omitzero"`
	Service       string    `json:"service,omitempty"`
	RedirectURI   string    `json:"redirect_uri"` // compared byte by byte; a bare path without subdomains
	AllowedScopes []string  `json:"allowed_scopes,omitempty"`
	NoConfirm     bool      `json:"no_confirm,omitempty"`
	Description   string    `json:"description"` // "Server at /user/alice/"
}

// Code is an OAuth authorization code: single use, five minutes (RFC 6749 section 4.1.2).
type Code struct {
	Client          string    `json:"client"`
	User            string    `json:"user"`
	Session         string    `json:"session"`
	RedirectURI     string    `json:"redirect_uri"`
	Scopes          []string  `json:"scopes"`
	Challenge       string    `json:"challenge,omitempty"`        // PKCE (RFC 7636); empty for clients before JupyterHub 6
	ChallengeMethod string    `json:"challenge_method,omitempty"` // S256 or plain
	Expires         time.Time `json:"expires"`
}
