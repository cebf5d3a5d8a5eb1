package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/crypt"
)

// The store against a model: random verbs in random order, with flushes, prunings, passing time and reopened files between
// them. After each one the file must be sound and say what a few maps say.

type machine struct {
	path  string
	clock *clock
	store *Store
	keys  crypt.Keys

	users    map[string]modelUser
	groups   map[string]bool
	servers  map[hub.ServerRef]time.Time
	tokens   map[string]modelToken // by value
	sessions map[string]modelSession
	clients  map[string]hub.ServerRef
	shares   map[modelShare][]string // scopes
	codes    map[string]modelCode    // by value
}

type modelUser struct {
	groups map[string]bool
	active time.Time
	state  string // auth state
}

type modelToken struct {
	owner, client, session string
	server                 hub.ServerRef
	expires                time.Time
}

type modelSession struct {
	id, user string
	expires  time.Time
}

var (
	somePeople  = []string{"alice", "bob", "mallory"}
	someGroups  = []string{"class", "staff"}
	someServers = []string{"", "lab"}
)

func TestStoreAgainstModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &machine{path: filepath.Join(dir, fmt.Sprintf("%d.db", n)), clock: noon(), keys: keys(t, oneKey), users: map[string]modelUser{}, groups: map[string]bool{},
			servers: map[hub.ServerRef]time.Time{}, tokens: map[string]modelToken{}, sessions: map[string]modelSession{}, clients: map[string]hub.ServerRef{},
			shares: map[modelShare][]string{}, codes: map[string]modelCode{}}
		m.open(t)
		defer os.Remove(m.path)
		defer func() { m.store.Close() }()
		t.Repeat(rapid.StateMachineActions(m))
	})
}

func (m *machine) open(t *rapid.T) {
	s, err := Open(m.path, Options{Now: m.clock.now, Keys: m.keys})
	if err != nil {
		t.Fatal(err)
	}
	m.store = s
}

// do runs a verb, which must fail exactly if the model says so.
func (m *machine) do(t *rapid.T, fits bool, fn func(tx *Tx) error) bool {
	err := m.store.Update(fn)
	if err == nil != fits {
		t.Fatalf("error %v, but by the model it fits: %v", err, fits)
	}
	if err != nil && hub.KindOf(err) != hub.NotFound && hub.KindOf(err) != hub.Conflict {
		t.Fatalf("unexpected kind: %v", err)
	}
	return fits
}

func person(t *rapid.T) string { return rapid.SampledFrom(somePeople).Draw(t, "user") }

func server(t *rapid.T) hub.ServerRef {
	return hub.ServerRef{User: person(t), Server: rapid.SampledFrom(someServers).Draw(t, "server")}
}

func (m *machine) has(user string) bool { _, ok := m.users[user]; return ok }

func (m *machine) MakeUser(t *rapid.T) {
	name := person(t)
	if m.do(t, !m.has(name), func(tx *Tx) error { _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID}); return err }) {
		m.users[name] = modelUser{groups: map[string]bool{}}
	}
}

func (m *machine) DeleteUser(t *rapid.T) {
	name := person(t)
	if m.do(t, m.has(name), func(tx *Tx) error { return tx.DeleteUser(name) }) {
		delete(m.users, name)
		m.endClients(func(ref hub.ServerRef) bool { return ref.User == name })
		maps.DeleteFunc(m.servers, func(ref hub.ServerRef, _ time.Time) bool { return ref.User == name })
		maps.DeleteFunc(m.tokens, func(_ string, k modelToken) bool { return k.owner == name })
		m.endSessions(func(s modelSession) bool { return s.user == name })
		m.endShares(func(s modelShare) bool { return s.server.User == name || s.user == name })
	}
}

func (m *machine) RenameUser(t *rapid.T) {
	old, name := person(t), person(t)
	if !m.do(t, m.has(old) && !m.has(name), func(tx *Tx) error { return tx.RenameUser(old, name) }) {
		return
	}
	m.users[name] = m.users[old]
	delete(m.users, old)
	m.endClients(func(ref hub.ServerRef) bool { return ref.User == old })
	maps.DeleteFunc(m.tokens, func(_ string, k modelToken) bool { return k.server.User == old })
	for ref, at := range maps.Clone(m.servers) {
		if ref.User == old {
			delete(m.servers, ref)
			m.servers[hub.ServerRef{User: name, Server: ref.Server}] = at
		}
	}
	m.renameInShares(old, name)
	for value, k := range m.tokens {
		if k.owner == old {
			k.owner = name
			m.tokens[value] = k
		}
	}
	for cookie, s := range m.sessions {
		if s.user == old {
			s.user = name
			m.sessions[cookie] = s
		}
	}
}

func (m *machine) PutAuthState(t *rapid.T) {
	name, state := person(t), rapid.SampledFrom([]string{"", `{}`, `{"token":"x"}`}).Draw(t, "state")
	var put json.RawMessage
	if state != "" {
		put = json.RawMessage(state)
	}
	if m.do(t, m.has(name), func(tx *Tx) error { return tx.PutAuthState(name, put) }) {
		u := m.users[name]
		u.state = state
		m.users[name] = u
	}
}

func (m *machine) PutGroup(t *rapid.T) {
	name := rapid.SampledFrom(someGroups).Draw(t, "group")
	members := rapid.SliceOfDistinct(rapid.SampledFrom(somePeople), rapid.ID).Draw(t, "members")
	fits := !slices.ContainsFunc(members, func(u string) bool { return !m.has(u) })
	ok := m.do(t, fits, func(tx *Tx) error {
		g, err := tx.Group(name)
		if hub.KindOf(err) == hub.NotFound {
			g = hub.Group{Name: name}
		}
		g.Users = members
		_, err = tx.PutGroup(g)
		return err
	})
	if !ok {
		return
	}
	m.groups[name] = true
	for u := range m.users {
		delete(m.users[u].groups, name)
	}
	for _, u := range members {
		m.users[u].groups[name] = true
	}
}

func (m *machine) DeleteGroup(t *rapid.T) {
	name := rapid.SampledFrom(someGroups).Draw(t, "group")
	if m.do(t, m.groups[name], func(tx *Tx) error { return tx.DeleteGroup(name) }) {
		delete(m.groups, name)
		for u := range m.users {
			delete(m.users[u].groups, name)
		}
		m.endShares(func(s modelShare) bool { return s.group == name })
	}
}

func (m *machine) PutServer(t *rapid.T) {
	ref := server(t)
	if m.do(t, m.has(ref.User), func(tx *Tx) error { return tx.PutServer(hub.Server{ServerRef: ref}) }) {
		m.servers[ref] = m.servers[ref]
	}
}

func (m *machine) DeleteServer(t *rapid.T) {
	ref := server(t)
	_, exists := m.servers[ref]
	if m.do(t, exists, func(tx *Tx) error { return tx.DeleteServer(ref) }) {
		delete(m.servers, ref)
		m.endClients(func(r hub.ServerRef) bool { return r == ref })
		m.endServerToken(ref)
		m.endShares(func(s modelShare) bool { return s.server == ref })
	}
}

func (m *machine) NewToken(t *rapid.T) {
	name := person(t)
	life := time.Duration(rapid.IntRange(0, 2).Draw(t, "hours")) * time.Hour
	k := modelToken{owner: name}
	if life > 0 {
		k.expires = m.clock.now().Add(life)
	}
	if id := "client-of-alice"; rapid.Bool().Draw(t, "through a client") {
		k.client = id
	}
	_, known := m.clients[k.client]
	var value string
	if m.do(t, m.has(name) && (k.client == "" || known), func(tx *Tx) (err error) {
		value, _, err = tx.NewToken(hub.Token{Owner: owner(name), Client: k.client, Expires: k.expires})
		return err
	}) {
		m.tokens[value] = k
	}
}

func (m *machine) NewServerToken(t *rapid.T) {
	ref := server(t)
	_, exists := m.servers[ref]
	var value string
	if m.do(t, exists, func(tx *Tx) (err error) {
		value, _, err = tx.NewServerToken(ref, hub.Token{Owner: owner(ref.User)})
		return err
	}) {
		m.endServerToken(ref)
		m.tokens[value] = modelToken{owner: ref.User, server: ref}
	}
}

func (m *machine) PutClient(t *rapid.T) {
	ref := hub.ServerRef{User: "alice"}
	_, exists := m.servers[ref]
	if m.do(t, exists, func(tx *Tx) error { return tx.PutClient(hub.Client{ID: "client-of-alice", Server: ref}, "secret") }) {
		m.clients["client-of-alice"] = ref
	}
}

func (m *machine) NewSession(t *rapid.T) {
	name := person(t)
	expires := m.clock.now().Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour)
	var cookie string
	var s hub.Session
	if m.do(t, m.has(name), func(tx *Tx) (err error) {
		cookie, s, err = tx.NewSession(hub.Session{User: name, Expires: expires})
		return err
	}) {
		m.sessions[cookie] = modelSession{s.ID, name, expires}
	}
}

// TokenThroughSession issues a token as an OAuth login does.
func (m *machine) TokenThroughSession(t *rapid.T) {
	if len(m.sessions) == 0 {
		t.Skip("nobody is logged in")
	}
	s := m.sessions[rapid.SampledFrom(slices.Sorted(maps.Keys(m.sessions))).Draw(t, "cookie")]
	var value string
	if m.do(t, s.expires.After(m.clock.now()), func(tx *Tx) (err error) {
		value, _, err = tx.NewToken(hub.Token{Owner: owner(s.user), Session: s.id})
		return err
	}) {
		m.tokens[value] = modelToken{owner: s.user, session: s.id}
	}
}

func (m *machine) Logout(t *rapid.T) {
	if len(m.sessions) == 0 {
		t.Skip("nobody is logged in")
	}
	s := m.sessions[rapid.SampledFrom(slices.Sorted(maps.Keys(m.sessions))).Draw(t, "cookie")]
	m.do(t, true, func(tx *Tx) error { return tx.DeleteSession(s.id) })
	m.endSessions(func(o modelSession) bool { return o.id == s.id })
}

func (m *machine) Touch(t *rapid.T) {
	ref := server(t)
	at := m.clock.now().Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "seconds")) * time.Second)
	m.store.TouchUser(ref.User, at)
	m.store.Touch(ref, at)
	if u, ok := m.users[ref.User]; ok {
		u.active = later(u.active, at)
		m.users[ref.User] = u
	} else {
		m.flush(t) // so that nobody who comes later inherits it
	}
	if was, ok := m.servers[ref]; ok {
		m.servers[ref] = later(was, at)
	} else {
		m.flush(t)
	}
}

func (m *machine) flush(t *rapid.T) {
	if err := m.store.flush(); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) Flush(t *rapid.T) { m.flush(t) }

func (m *machine) Wait(*rapid.T) { m.clock.advance(45 * time.Minute) }

func (m *machine) Prune(t *rapid.T) {
	if err := m.store.prune(); err != nil {
		t.Fatal(err)
	}
	now := m.clock.now()
	maps.DeleteFunc(m.tokens, func(_ string, k modelToken) bool { return !k.expires.IsZero() && !k.expires.After(now) })
	m.endSessions(func(s modelSession) bool { return !s.expires.After(now) })
	maps.DeleteFunc(m.codes, func(_ string, c modelCode) bool { return !c.expires.After(now) })
}

// Reopen ends the process well and starts the next one.
func (m *machine) Reopen(t *rapid.T) {
	m.flush(t)
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

func (m *machine) endClients(of func(hub.ServerRef) bool) {
	for id, ref := range m.clients {
		if of(ref) {
			delete(m.clients, id)
			maps.DeleteFunc(m.tokens, func(_ string, k modelToken) bool { return k.client == id })
		}
	}
}

func (m *machine) endServerToken(ref hub.ServerRef) {
	maps.DeleteFunc(m.tokens, func(_ string, k modelToken) bool { return k.server == ref && !ref.IsZero() })
}

func (m *machine) endSessions(which func(modelSession) bool) {
	for cookie, s := range m.sessions {
		if which(s) {
			delete(m.sessions, cookie)
			maps.DeleteFunc(m.tokens, func(_ string, k modelToken) bool { return k.session == s.id })
		}
	}
}
