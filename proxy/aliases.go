package proxy

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jupyterhubd/hub"
)

// aliases are other names under which sessions reach a route. A server keeps its answers to "who is this?" by session and token, for
// minutes: a session that comes under a name that it has never heard is one that it has to ask about, and whoever may come again does,
// with everything that the browser has. The name changes nothing else; the session goes to other routes as before.
type aliases struct {
	any    atomic.Bool // false is the answer for nearly every request
	mu     sync.RWMutex
	routes map[string]map[sessionID]alias // guarded by mu; by the routes' keys
	count  int                            // guarded by mu
}

// alias is the name that a session has at one route.
type alias struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// maxAliases is far more than a hub takes back while its sessions last: some megabytes.
const maxAliases = 1 << 16

func newAliases() *aliases { return &aliases{routes: map[string]map[sessionID]alias{}} }

// newAlias makes a name that nobody can have used before.
func newAlias(now, until time.Time) alias {
	return alias{Name: rand.Text(), Since: now, Until: until}
}

// put gives a session a name at a route. When there is no room, the oldest makes some.
func (as *aliases) put(key string, id sessionID, a alias) {
	as.mu.Lock()
	defer as.mu.Unlock()
	at := as.routes[key]
	if _, had := at[id]; !had {
		if as.count >= maxAliases {
			as.dropOldest()
		}
		as.count++
	}
	if at = as.routes[key]; at == nil {
		at = map[sessionID]alias{}
		as.routes[key] = at
	}
	at[id] = a
	as.any.Store(true)
}

// dropOldest makes room. The caller holds mu.
func (as *aliases) dropOldest() {
	var route string
	var session sessionID
	var oldest time.Time
	for key, at := range as.routes {
		for id, a := range at {
			if route == "" || a.Since.Before(oldest) {
				route, session, oldest = key, id, a.Since
			}
		}
	}
	as.drop(route, session)
}

// drop takes a name away. The caller holds mu.
func (as *aliases) drop(key string, id sessionID) {
	delete(as.routes[key], id)
	as.count--
	if len(as.routes[key]) == 0 {
		delete(as.routes, key)
	}
}

// at reports whether any session has another name at a route, or everywhere.
func (as *aliases) at(key string) bool {
	if !as.any.Load() {
		return false
	}
	as.mu.RLock()
	defer as.mu.RUnlock()
	return as.routes[key] != nil || as.routes[everywhere] != nil
}

// of returns the names that sessions have at a route, "" for those who have only their own; nil when none has another.
func (as *aliases) of(key string, ids []sessionID, now time.Time) (names []string) {
	if !as.any.Load() {
		return nil
	}
	as.mu.RLock()
	defer as.mu.RUnlock()
	at := as.routes[key]
	for i, id := range ids {
		a, ok := at[id]
		if !ok || !now.Before(a.Until) {
			continue
		}
		if names == nil {
			names = make([]string, len(ids))
		}
		names[i] = a.Name
	}
	return names
}

// get returns what a session is called at a route.
func (as *aliases) get(key string, id sessionID) (alias, bool) {
	as.mu.RLock()
	defer as.mu.RUnlock()
	a, ok := as.routes[key][id]
	return a, ok
}

// forget drops what is over.
func (as *aliases) forget(now time.Time) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for key, at := range maps.Clone(as.routes) {
		for id, a := range maps.Clone(at) {
			if !now.Before(a.Until) {
				as.drop(key, id)
			}
		}
	}
	as.any.Store(as.count > 0)
}

// list returns all, for the state file.
func (as *aliases) list() map[string]alias {
	as.mu.RLock()
	defer as.mu.RUnlock()
	out := make(map[string]alias, as.count)
	for key, at := range as.routes {
		for id, a := range at {
			out[aliasName(key, id)] = a
		}
	}
	return out
}

// aliasName is how the state file and the journal name a session at a route.
func aliasName(key string, id sessionID) string { return id.String() + " " + key }

func readAliasName(name string) (key string, id sessionID, err error) {
	session, key, ok := strings.Cut(name, " ")
	if id, err = readSessionID(session); err == nil && !ok {
		err = hub.Errorf(hub.Invalid, "a session's other name is at a route")
	}
	return key, id, err
}

// renameSessions has a request's session cookies say the names that go with them, in their order. "" leaves one as it is.
func renameSessions(h http.Header, names []string) {
	var kept []string
	n := 0
	for _, line := range h["Cookie"] {
		for piece := range strings.SplitSeq(line, ";") {
			piece = strings.Trim(piece, " \t")
			name, value, _ := strings.Cut(piece, "=")
			if bareName(trimName(name)) == sessionCookie {
				if names[n] != "" {
					piece = name + "=" + bareValue(value) + "." + names[n]
				}
				n++
			}
			if piece != "" {
				kept = append(kept, piece)
			}
		}
	}
	h["Cookie"] = []string{strings.Join(kept, "; ")}
}

// turnAway has a server ask anew who comes with a session, and closes what is open of it there. Other routes notice nothing.
func (p *Proxy) turnAway(key string, id sessionID, a alias) {
	p.aliases.put(key, id, a)
	p.ledger.touch(aliasKey + aliasName(key, id))
	p.tunnels.close(policy, func(t *tunnel) bool { return t.route == key && slices.Contains(t.sessions, id) })
	p.elders.tell(message{Do: doRename, Session: id.String(), Path: key, Alias: &a})
}

// stays reports whether a WebSocket may be open that was asked for under certain names: there is a server for it, and none of its
// sessions has ended, or is called otherwise there by now.
func (p *Proxy) stays(t *tunnel) bool {
	now := p.options.Now()
	return !t.up.isEnded() && !p.graves.holds(t.sessions, now) && slices.Equal(p.aliases.of(t.route, t.sessions, now), t.names)
}
