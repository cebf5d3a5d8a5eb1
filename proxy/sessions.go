package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jupyterhubd/hub"
)

// sessionID is the SHA-256 of a jupyterhub-session-id cookie. The hub names sessions by it, so that no log and no file of
// ours holds one that still works somewhere.
type sessionID [sha256.Size]byte

func (id sessionID) String() string { return hex.EncodeToString(id[:]) }

func readSessionID(s string) (sessionID, error) {
	var id sessionID
	b, err := hex.DecodeString(s)
	if copy(id[:], b); err != nil || len(b) != len(id) {
		return id, hub.Errorf(hub.Invalid, "a session is named by the SHA-256 of its id in 64 hexadecimal digits")
	}
	return id, nil
}

// sessionsOf returns the sessions that a request speaks for.
func sessionsOf(h http.Header) []sessionID {
	var ids []sessionID
	for _, value := range cookieValues(h, sessionCookie) {
		ids = append(ids, sha256.Sum256([]byte(value)))
	}
	return ids
}

// Limits of what is remembered of ended sessions.
const (
	endedFor = 10 * time.Minute // a single-user server believes what it knew for up to 300 s
	maxEnded = 1 << 16
)

// graveyard remembers the sessions that ended lately. A single-user server keeps its answer to "who is this?" for some
// minutes, by session: without the session's cookie it has to ask again.
type graveyard struct {
	any   atomic.Bool // false is the answer for nearly every request
	mu    sync.RWMutex
	ended map[sessionID]time.Time // guarded by mu; until when
}

func newGraveyard() *graveyard { return &graveyard{ended: map[sessionID]time.Time{}} }

// bury adds a session. There is room for far more than one hub ends in the time; when it is full, others make room.
func (g *graveyard) bury(id sessionID, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for old := range g.ended {
		if len(g.ended) < maxEnded {
			break
		}
		delete(g.ended, old)
	}
	g.ended[id] = until
	g.any.Store(true)
}

// holds reports whether one of the sessions has ended.
func (g *graveyard) holds(ids []sessionID, now time.Time) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, id := range ids {
		if until, ok := g.ended[id]; ok && now.Before(until) {
			return true
		}
	}
	return false
}

// forget drops what is over and returns whether anything was.
func (g *graveyard) forget(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := len(g.ended)
	for id, until := range g.ended {
		if !now.Before(until) {
			delete(g.ended, id)
		}
	}
	g.any.Store(len(g.ended) > 0)
	return len(g.ended) < before
}

// until returns when a session's name is forgotten; zero when it is not remembered.
func (g *graveyard) until(name string) time.Time {
	id, err := readSessionID(name)
	if err != nil {
		return time.Time{}
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.ended[id]
}

// list returns the ended sessions, for the state file.
func (g *graveyard) list() map[string]time.Time {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := make(map[string]time.Time, len(g.ended))
	for id, until := range g.ended {
		out[id.String()] = until
	}
	return out
}

// survives reports whether a cookie stays in a request of an ended session. Those of the services go as well: they cache in
// the same way.
func survives(name string) bool {
	name = bareName(name)
	return name != sessionCookie && name != loginCookie && name != servicesCookie &&
		!strings.HasPrefix(name, userCookies) && !strings.HasPrefix(name, serviceCookies)
}
