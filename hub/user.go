package hub

import "time"

// User is a person (or a robot) that the hub knows. Name is the canonical account name as NSS spells it.
type User struct {
	ID           uint64    `json:"id"` // ascending by creation; zero until stored
	Name         string    `json:"name"`
	UID          int64     `json:"uid"`             // Unix uid at the last login, NoUID before the first
	Guest        bool      `json:"guest,omitempty"` // logged in last as a guest, who has no account; UID is NoUID
	Admin        bool      `json:"admin,omitempty"`
	Groups       []string  `json:"groups,omitempty"` // hub groups (never NSS groups), sorted
	Roles        []string  `json:"roles,omitempty"`  // direct roles other than the implied "user" and "admin", sorted
	Created      time.Time `json:"created"`
	LastActivity time.Time `json:"last_activity,omitzero"` // zero: never active
	Visits       []Visit   `json:"visits,omitempty"`       // the newest last; the user has not put them away yet
}

// Visit is that somebody entered a server of somebody else's, by what they are and not because it was shared with them.
type Visit struct {
	Server string    `json:"server"` // "" is the default server
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// NoUID marks a user whose account was never looked up, or who has none.
const NoUID = -1

// LoggedIn reports whether somebody ever logged in by the user's name: a robot's never did.
func (u User) LoggedIn() bool { return u.Guest || u.UID != NoUID }

// Account is what the operating system's name service says of a name. The locked doors answer with it; the hub never
// makes one up.
type Account struct {
	Name   string   `json:"name"` // canonical: as NSS returned it, whatever was typed
	UID    int64    `json:"uid"`
	GID    int64    `json:"gid"`
	Gecos  string   `json:"gecos"`
	Home   string   `json:"home"`
	Shell  string   `json:"shell"`
	Groups []string `json:"groups"` // names of its NSS groups, the primary one first
	// Guest marks somebody who has no account and is let in all the same, by root's word: UID and GID are NoUID then.
	Guest bool `json:"guest,omitempty"`
}

// Group is a hub group. It has nothing to do with the groups of the operating system.
type Group struct {
	ID         uint64         `json:"id"`
	Name       string         `json:"name"`
	Users      []string       `json:"users,omitempty"` // sorted
	Roles      []string       `json:"roles,omitempty"` // sorted
	Properties map[string]any `json:"properties,omitempty"`
}

// Service is a program that speaks to the hub in its own name.
type Service struct {
	Name      string         `json:"name"`
	Admin     bool           `json:"admin,omitempty"`
	Roles     []string       `json:"roles,omitempty"`
	Scopes    []string       `json:"scopes,omitempty"` // scopes it owns, those of its roles not included
	URL       string         `json:"url,omitempty"`
	Unit      string         `json:"unit,omitempty"` // the systemd unit that may fetch this service's token as a credential
	Info      map[string]any `json:"info,omitempty"`
	Display   bool           `json:"display"`
	NoConfirm bool           `json:"oauth_no_confirm,omitempty"`
	// Configured marks a service of the configuration, which the API cannot take away.
	Configured bool     `json:"configured,omitempty"`
	Command    []string `json:"command,omitempty"` // what systemd runs as this service; empty: somebody else runs it
}

// Session is one browser that is logged in.
type Session struct {
	ID       string    `json:"id"` // value of the jupyterhub-session-id cookie; names the session, opens nothing
	User     string    `json:"user"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
	Address  string    `json:"address,omitempty"` // where the login came from
}
