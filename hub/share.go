package hub

import "time"

// Share is what one user or one group may do with a server of somebody else's.
type Share struct {
	ID      uint64    `json:"id"` // ascending by creation
	Server  ServerRef `json:"server"`
	User    string    `json:"user,omitempty"`  // with whom: a user,
	Group   string    `json:"group,omitempty"` // or whoever is in a group at the moment of the question
	Scopes  []string  `json:"scopes"`          // without a filter, sorted: each holds for this one server, whatever its name is by then
	Created time.Time `json:"created"`
}

// ShareCode is a share for whoever has the code, as often as it is exchanged before it expires.
type ShareCode struct {
	ID            uint64    `json:"id"` // shown as "sc_<ID>"
	Server        ServerRef `json:"server"`
	Scopes        []string  `json:"scopes"` // as in a Share
	Created       time.Time `json:"created"`
	Expires       time.Time `json:"expires"`
	Exchanges     int       `json:"exchanges"`
	LastExchanged time.Time `json:"last_exchanged,omitzero"`
}

// ScopesFor returns scopes without a filter with that of a server: "access:servers!server=alice/lab".
func ScopesFor(ref ServerRef, scopes []string) []string {
	out := make([]string, len(scopes))
	for i, s := range scopes {
		out[i] = s + "!server=" + ref.String()
	}
	return out
}
