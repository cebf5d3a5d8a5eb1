package client

import (
	"encoding/json"

	"jupyterhubd/hub"
)

// PaginationType is the media type that asks for pages (JupyterHub's opt-in, an element of Accept).
const PaginationType = "application/jupyterhub-pagination+json"

// Page is a list in an envelope, the shape of an opted-in reply. Items is []T, or an object for GET /proxy.
type Page[T any] struct {
	Items      T          `json:"items"`
	Pagination Pagination `json:"_pagination"`
}

// Pagination says which part of a list a page is.
type Pagination struct {
	Offset int       `json:"offset"`
	Limit  int       `json:"limit"`
	Total  int       `json:"total"`
	Next   *NextPage `json:"next"` // null on the last page
}

// NextPage leads on. URL is meant to be followed as it stands.
type NextPage struct {
	Offset int    `json:"offset"`
	Limit  int    `json:"limit"`
	URL    string `json:"url"`
}

// ErrorBody is the body of every refusal. Cause and Journal-bearing detail are there when a server failed (ours).
type ErrorBody struct {
	Status  int        `json:"status"`
	Message string     `json:"message"`
	Cause   *hub.Cause `json:"cause,omitempty"`
}

// Version is the reply of GET /hub/api/.
type Version struct {
	Version string `json:"version"`
}

// Info is the reply of GET /hub/api/info. Python and SysExecutable are stand-ins that JupyterHub's clients expect.
type Info struct {
	Version       string    `json:"version"`
	Python        string    `json:"python"`
	SysExecutable string    `json:"sys_executable"`
	Spawner       Component `json:"spawner"`
	Authenticator Component `json:"authenticator"`
}

// Component names an exchangeable part.
type Component struct {
	Class   string `json:"class"`
	Version string `json:"version"`
}

// StartRequest is the body of POST /users/U/server in JupyterHub 6's form.
type StartRequest struct {
	DisplayName *string         `json:"display_name,omitempty"`
	UserOptions json.RawMessage `json:"user_options,omitempty"`
}

// LimitRequest is the body of POST /users/U/servers/S/limits, which is ours. Nil Limits are those of the configuration again.
type LimitRequest struct {
	Limits  *hub.Limits `json:"limits"`
	ForGood bool        `json:"for_good,omitempty"`
}

// StopRequest is the body of DELETE /users/U/servers/S.
type StopRequest struct {
	Remove bool `json:"remove,omitempty"` // forget the named server once it is stopped
}

// CreateUsers is the body of POST /users.
type CreateUsers struct {
	Usernames []string `json:"usernames"`
	Admin     bool     `json:"admin,omitempty"`
}

// Activity is the body of POST /users/U/activity.
type Activity struct {
	LastActivity Time                      `json:"last_activity,omitzero"`
	Servers      map[string]ServerActivity `json:"servers,omitempty"`
}

// ServerActivity is one server's part of Activity.
type ServerActivity struct {
	LastActivity Time `json:"last_activity"`
}

// Shutdown is the body of POST /shutdown.
type Shutdown struct {
	Proxy   *bool `json:"proxy,omitempty"`
	Servers *bool `json:"servers,omitempty"`
}

// AccountsReply is the answer to POST /accounts/check, which is ours: how many users were looked at, and how many of them have lost
// what they came in with.
type AccountsReply struct {
	Checked int `json:"checked"`
	Ended   int `json:"ended"`
}

// ReloadRequest is the body of POST /reload, which is ours. With Check nothing is changed.
type ReloadRequest struct {
	Check bool `json:"check"`
}

// ReloadReply says what a reload changed, or would change: one sentence a change.
type ReloadReply struct {
	Changes []string `json:"changes"`
}

// ProxyRoute is one value of GET /proxy.
type ProxyRoute struct {
	Routespec string         `json:"routespec"`
	Target    string         `json:"target"`
	Data      map[string]any `json:"data"`
}
