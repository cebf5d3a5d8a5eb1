package idleculler

import (
	"time"

	"jupyterhubd/hub/client"
)

// Options say what is idle and what happens to it.
type Options struct {
	Timeout            time.Duration // inactive for this long is idle
	MaxAge             time.Duration // older than this goes as well; 0: never
	CullUsers          bool          // remove idle users from the hub
	CullAdminUsers     bool          // admins too
	CullDefaultServers bool
	CullNamedServers   bool
	RemoveNamedServers bool // forget named servers once they have stopped
	Concurrency        int  // requests at a time; 0: no limit
	PageSize           int  // users a page; 0: the hub's own
	RequestTimeout     time.Duration
	Now                func() time.Time
}

// verdict is what becomes of a server or user; the empty one leaves it alone.
type verdict string

const (
	keep     verdict = ""
	idle     verdict = "idle"
	old      verdict = "old"
	pending  verdict = "pending"   // something is under way: not touched, and its user neither
	notReady verdict = "not ready" // neither running nor pending, which the API does not show; not touched either
)

func (v verdict) cull() bool { return v == idle || v == old }

// server judges one server. Whether its kind is culled matters to idle ones alone: too old is too old.
func (o Options) server(s client.Server, name string, now time.Time) verdict {
	allowed := o.CullNamedServers
	if name == "" {
		allowed = o.CullDefaultServers
	}
	switch age := since(s.Started, now); {
	case s.Pending != "":
		return pending
	case !s.Ready:
		return notReady
	case allowed && reached(inactive(s.LastActivity, age, now), o.Timeout):
		return idle
	case o.MaxAge > 0 && reached(age, o.MaxAge):
		return old
	}
	return keep
}

// user judges a user whose servers have all stopped. An admin who is to stay stays, however old: the Python culler forgets
// that for max_age.
func (o Options) user(u client.User, now time.Time) verdict {
	switch age := since(u.Created.Value, now); {
	case !o.CullUsers, u.Admin.Value && !o.CullAdminUsers:
		return keep
	case reached(inactive(u.LastActivity.Value, age, now), o.Timeout):
		return idle
	case o.MaxAge > 0 && reached(age, o.MaxAge):
		return old
	}
	return keep
}

// unknown is a span whose beginning is not known; it reaches nothing.
const unknown time.Duration = -1 << 63

func since(t client.Time, now time.Time) time.Duration {
	if t.IsZero() {
		return unknown
	}
	return now.Sub(t.Time)
}

// inactive is the time since the last activity; before the first it is the age.
func inactive(last client.Time, age time.Duration, now time.Time) time.Duration {
	if last.IsZero() {
		return age
	}
	return now.Sub(last.Time)
}

func reached(span, limit time.Duration) bool { return span != unknown && span >= limit }
