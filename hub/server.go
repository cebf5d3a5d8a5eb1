package hub

import (
	"encoding/json"
	"time"
)

// ServerRef names one server of one user. Server is empty for the default server.
type ServerRef struct {
	User   string `json:"user"`
	Server string `json:"server"`
}

// String returns "user/server", the form of a scope's !server= filter.
func (r ServerRef) String() string { return r.User + "/" + r.Server }

// IsZero reports whether the reference names nothing.
func (r ServerRef) IsZero() bool { return r == ServerRef{} }

// Server is what the hub remembers of a user's server: the wish, and what was last seen of it. What is true now is State,
// which is derived from systemd and never stored.
type Server struct {
	ServerRef
	DisplayName  string          `json:"display_name,omitempty"`
	Wanted       bool            `json:"wanted"`                 // the wish: it shall run
	Ending       bool            `json:"ending,omitempty"`       // it shall not any more, and what it had is not cleared away yet
	BootID       string          `json:"boot_id,omitempty"`      // the boot in which the wish was made
	Profile      string          `json:"profile,omitempty"`      // profile of the last start
	Options      json.RawMessage `json:"user_options,omitempty"` // user_options of the last start
	Created      time.Time       `json:"created"`
	Started      time.Time       `json:"started,omitzero"` // zero when stopped
	LastActivity time.Time       `json:"last_activity,omitzero"`
	Failure      *Cause          `json:"failure,omitempty"` // why the last start or run ended badly, until the next start
	Runs         []Counted       `json:"runs,omitempty"`    // of which not all is in the accounts yet; the last one may go on
}

// RescueProfile is a profile that is always there: a small server that looks at none of its user's configuration and needs
// no room in their home directory, to mend what keeps others from starting. A profile of that name in root's file replaces it.
const RescueProfile = "rescue"

// Live is a server together with what is true of it now.
type Live struct {
	Server
	State State
	Unit  Unit   // zero while no unit exists
	URL   string // base_url + user/<name>/[<server>/], escaped
}

// State is the one state of a server. It is changed in one function of the workshop and nowhere else.
type State string

// The states of a server. Running is spelled "ready", JupyterHub's word, on the wire.
const (
	Stopped  State = "stopped"
	Queued   State = "queued"
	Starting State = "starting"
	Running  State = "ready"
	Freezing State = "freezing"
	Frozen   State = "frozen"
	Thawing  State = "thawing"
	Stopping State = "stopping"
	Failed   State = "failed"
)

// Pending returns JupyterHub's word for a state in which something is under way: "spawn", "stop" or "".
func (s State) Pending() string {
	switch s {
	case Queued, Starting:
		return "spawn"
	case Stopping:
		return "stop"
	}
	return ""
}

// Ready reports whether requests reach the server; a frozen one is woken by them.
func (s State) Ready() bool {
	switch s {
	case Running, Freezing, Frozen, Thawing:
		return true
	}
	return false
}

// Active is JupyterHub's "active": ready or pending.
func (s State) Active() bool { return s.Ready() || s.Pending() != "" }

// Event is one step of a start as its watchers see it (JupyterHub's progress event). The last one of a stream has Ready or
// Failed set. One that failed with a partial cause is followed by another, with the whole cause.
type Event struct {
	Progress    int    `json:"progress"` // per cent
	Message     string `json:"message"`
	HTMLMessage string `json:"html_message,omitempty"`
	Ready       bool   `json:"ready,omitempty"`
	Failed      bool   `json:"failed,omitempty"`
	URL         string `json:"url,omitempty"`
	Cause       *Cause `json:"cause,omitempty"` // ours: why, with a failed event

	Position int       `json:"position,omitempty"`         // ours: place in line, 1 is next
	Estimate float64   `json:"estimate_seconds,omitempty"` // ours: until its turn; absent: nobody can tell
	Deadline time.Time `json:"deadline,omitzero"`          // ours: when the start is given up
}

// Last reports whether the event is the last one of its stream.
func (e Event) Last() bool {
	return e.Ready || e.Failed && (e.Cause == nil || !e.Cause.Partial)
}
