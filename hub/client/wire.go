package client

import (
	"encoding/json"

	"jupyterhubd/hub"
)

// User is a user as the API shows it. Kind and Name are there whenever anything is.
type User struct {
	Kind         string                   `json:"kind"` // "user"
	Name         string                   `json:"name"`
	Admin        Field[bool]              `json:"admin,omitzero"`
	UserInfo     Field[json.RawMessage]   `json:"user_info,omitzero"` // object or null
	Roles        Field[[]string]          `json:"roles,omitzero"`     // direct roles only
	Groups       Field[[]string]          `json:"groups,omitzero"`
	Server       Field[Text]              `json:"server,omitzero"`  // URL of the default server if it is ready
	Pending      Field[Text]              `json:"pending,omitzero"` // of the default server
	Created      Field[Time]              `json:"created,omitzero"`
	LastActivity Field[Time]              `json:"last_activity,omitzero"`
	AuthState    Field[json.RawMessage]   `json:"auth_state,omitzero"` // object or null
	Servers      Field[map[string]Server] `json:"servers,omitzero"`
}

// Server is a user's server as the API shows it.
type Server struct {
	Name            string             `json:"name"`         // "" is the default server
	DisplayName     *string            `json:"display_name"` // null for named servers older than JupyterHub 6
	FullName        string             `json:"full_name"`    // "alice/", "alice/gpu"
	LastActivity    Time               `json:"last_activity"`
	Started         Time               `json:"started"` // null when stopped
	Pending         Text               `json:"pending"` // null, spawn, stop, check, rename
	Ready           bool               `json:"ready"`
	Stopped         bool               `json:"stopped"` // not active
	URL             string             `json:"url"`
	UserOptions     json.RawMessage    `json:"user_options"` // object or null
	ProgressURL     string             `json:"progress_url"`
	FullURL         Text               `json:"full_url"`
	FullProgressURL Text               `json:"full_progress_url"`
	State           Field[ServerState] `json:"state,omitzero"` // needs admin:server_state
	// Failure is ours: why the last start or run ended badly, until the next start.
	Failure *hub.Cause `json:"failure,omitempty"`
}

// ServerState is what JupyterHub calls the spawner's private state. Ours names the systemd unit and what it uses now.
type ServerState struct {
	Unit    string `json:"unit,omitempty"` // jupyter-alice.service; empty while there is none
	State   string `json:"state,omitempty"`
	UID     int64  `json:"uid"`
	Profile string `json:"profile,omitempty"`
	Memory  *int64 `json:"memory_bytes,omitempty"`    // absent: not asked, or unknown
	CPU     *int64 `json:"cpu_nanoseconds,omitempty"` // since the start
	Tasks   *int64 `json:"tasks,omitempty"`
	// The most at any moment since the start.
	MemoryPeak *int64 `json:"memory_peak_bytes,omitempty"`
	TasksPeak  *int64 `json:"tasks_peak,omitempty"`
	Swap       *int64 `json:"swap_bytes,omitempty"` // now
	// Of disks, since the start. What the page cache gave, or has still to write, is not in it.
	IORead    *int64 `json:"io_read_bytes,omitempty"`
	IOWritten *int64 `json:"io_written_bytes,omitempty"`
}

// Token is an API token as the API shows it. User or Service names its owner.
type Token struct {
	Kind         string   `json:"kind"` // "api_token"
	ID           string   `json:"id"`   // "a5"
	User         string   `json:"user,omitempty"`
	Service      string   `json:"service,omitempty"`
	Roles        []string `json:"roles"` // always empty since JupyterHub 3
	Scopes       []string `json:"scopes"`
	Created      Time     `json:"created"`
	LastActivity Time     `json:"last_activity"`
	ExpiresAt    Time     `json:"expires_at"`
	Note         string   `json:"note"`
	SessionID    Text     `json:"session_id"`
	OAuthClient  string   `json:"oauth_client"`    // description of the client, "JupyterHub" for plain tokens
	Value        string   `json:"token,omitempty"` // in the reply to its creation, and never again
}

// Tokens is the reply of GET /users/U/tokens.
type Tokens struct {
	APITokens []Token `json:"api_tokens"`
}

// TokenRequest is the body of POST /users/U/tokens. Nil Scopes means the owner's own ("inherit").
type TokenRequest struct {
	Note      string   `json:"note,omitempty"`
	ExpiresIn *int64   `json:"expires_in,omitempty"` // seconds; absent: never
	Scopes    []string `json:"scopes,omitempty"`
	Roles     []string `json:"roles,omitempty"`
}

// Group is a hub group as the API shows it.
type Group struct {
	Kind       string                `json:"kind"` // "group"
	Name       string                `json:"name"`
	Users      Field[[]string]       `json:"users,omitzero"`
	Properties Field[map[string]any] `json:"properties,omitzero"`
	Roles      Field[[]string]       `json:"roles,omitzero"`
}

// Service is a service as the API shows it.
type Service struct {
	Kind    string                `json:"kind"` // "service"
	Name    string                `json:"name"`
	Admin   Field[bool]           `json:"admin,omitzero"`
	Roles   Field[[]string]       `json:"roles,omitzero"`
	URL     Field[string]         `json:"url,omitzero"`
	Prefix  Field[string]         `json:"prefix,omitzero"`
	Command Field[[]string]       `json:"command,omitzero"`
	PID     Field[int]            `json:"pid,omitzero"`
	Info    Field[map[string]any] `json:"info,omitzero"`
	Display Field[bool]           `json:"display,omitzero"`
}

// Identity is the reply of GET /user: who the bearer of this request is. The keys of a user or of a service stand beside
// these; Scopes is sorted, concrete and never null, since single-user servers fail without it.
type Identity struct {
	User
	TokenID   Text     `json:"token_id"`   // "a5"; null for browsers
	SessionID Text     `json:"session_id"` // null for plain tokens
	Scopes    []string `json:"scopes"`
}

// ServiceIdentity is Identity where the bearer is a service.
type ServiceIdentity struct {
	Service
	TokenID   Text     `json:"token_id"`
	SessionID Text     `json:"session_id"`
	Scopes    []string `json:"scopes"`
}
