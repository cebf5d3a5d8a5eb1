package rbac

import (
	"slices"
	"strings"
)

// Scope is one row of the catalogue.
type Scope struct {
	Name        string
	Description string   // what it permits, as the confirm page and the manual say it
	Implies     []string // direct subscopes; they inherit the filter
}

// The metascopes. They stand for other scopes and never appear in a Set.
const (
	Self    = "self"    // everything a user may do with their own things
	Inherit = "inherit" // of a token: whatever its owner holds, now
)

// customPrefix begins the names of scopes that the admin defines for services; the hub itself asks for none of them.
const customPrefix = "custom:"

// builtin is the catalogue of JupyterHub 6.1 (its documentation, "Available scopes").
var builtin = []Scope{
	{"admin-ui", "open the admin page", nil},
	{"admin:users", "create, change and remove users, and see their authentication state", []string{"admin:auth_state", "users", "read:roles:users", "delete:users"}},
	{"admin:auth_state", "see what the authenticator keeps about a user", nil},
	{"users", "see and change users, except their rights", []string{"read:users", "list:users", "users:activity"}},
	{"delete:users", "remove users", nil},
	{"list:users", "list users", []string{"read:users:name"}},
	{"read:users", "see users with their groups and their activity", []string{"read:users:name", "read:users:groups", "read:users:activity"}},
	{"read:users:name", "see the names of users", nil},
	{"read:users:groups", "see which groups users are in", nil},
	{"read:users:activity", "see when users were last active", nil},
	{"users:activity", "report activity of users and their servers", []string{"read:users:activity"}},
	{"read:roles", "see who holds which roles", []string{"read:roles:users", "read:roles:services", "read:roles:groups"}},
	{"read:roles:users", "see the roles of users", nil},
	{"read:roles:services", "see the roles of services", nil},
	{"read:roles:groups", "see the roles of groups", nil},
	{"admin:servers", "start, stop and see servers with their internal state", []string{"admin:server_state", "servers"}},
	{"admin:server_state", "see the internal state of servers", nil},
	{"servers", "start, stop and see servers", []string{"read:servers", "start:servers", "delete:servers"}},
	{"read:servers", "see servers: their addresses, state and activity", []string{"read:users:name"}},
	{"start:servers", "start servers", nil},
	{"delete:servers", "stop and remove servers", nil},
	{"tokens", "create, see and revoke API tokens", []string{"read:tokens"}},
	{"read:tokens", "see API tokens (never their values)", nil},
	{"admin:groups", "create, change and remove groups", []string{"groups", "read:roles:groups", "delete:groups"}},
	{"groups", "see groups, add and remove their members", []string{"read:groups", "list:groups"}},
	{"list:groups", "list groups", []string{"read:groups:name"}},
	{"read:groups", "see groups and their members", []string{"read:groups:name"}},
	{"read:groups:name", "see the names of groups", nil},
	{"delete:groups", "remove groups", nil},
	{"admin:services", "create and remove services", []string{"list:services", "read:services", "read:roles:services"}},
	{"list:services", "list services", []string{"read:services:name"}},
	{"read:services", "see services", []string{"read:services:name"}},
	{"read:services:name", "see the names of services", nil},
	{"read:hub", "see details about the hub itself", nil},
	{"access:servers", "use servers through a browser or their API", nil},
	{"access:services", "use services", nil},
	{"users:shares", "see and give up what was shared with users", []string{"read:users:shares"}},
	{"read:users:shares", "see what was shared with users", nil},
	{"groups:shares", "see and give up what was shared with groups", []string{"read:groups:shares"}},
	{"read:groups:shares", "see what was shared with groups", nil},
	{"read:shares", "see with whom servers are shared", nil},
	{"shares", "share access to servers, and take it back", []string{"access:servers", "read:shares", "users:shares", "groups:shares"}},
	{"proxy", "see and change the proxy's routes", nil},
	{"shutdown", "shut the hub down", nil},
	{"read:metrics", "read the hub's metrics", nil},
}

// selfScopes is what Self stands for, each with the owner's !user filter and with its subscopes.
var selfScopes = []string{"read:users", "users:shares", "read:shares", "users:activity", "servers", "tokens", "access:servers"}

// maxScopes is how many scopes a catalogue can hold, custom ones included.
const maxScopes = 256

// bits is a set of scopes as indexes into a catalogue.
type bits [maxScopes / 64]uint64

func (b *bits) add(i int)        { b[i/64] |= 1 << (i % 64) }
func (b bits) has(i int) bool    { return b[i/64]&(1<<(i%64)) != 0 }
func (b bits) empty() bool       { return b == bits{} }
func (b bits) and(o bits) bits   { return b.each(o, func(x, y uint64) uint64 { return x & y }) }
func (b bits) or(o bits) bits    { return b.each(o, func(x, y uint64) uint64 { return x | y }) }
func (b bits) minus(o bits) bits { return b.each(o, func(x, y uint64) uint64 { return x &^ y }) }

func (b bits) each(o bits, f func(x, y uint64) uint64) bits {
	for i := range b {
		b[i] = f(b[i], o[i])
	}
	return b
}

// catalogue is the built-in rows and the custom ones, with the hierarchy worked out once.
type catalogue struct {
	rows     []Scope
	index    map[string]int
	implied  []bits // by scope: itself and everything below it
	onServer []bits // the same under a !server filter, see closeOver
	self     bits
	sorted   []int // indexes of rows, by name
}

func newCatalogue(rows []Scope) *catalogue {
	c := &catalogue{rows: rows, index: make(map[string]int, len(rows))}
	for i, s := range rows {
		c.index[s.Name] = i
	}
	for i := range rows {
		c.sorted = append(c.sorted, i)
	}
	slices.SortFunc(c.sorted, func(a, b int) int { return strings.Compare(rows[a].Name, rows[b].Name) })
	c.implied, c.onServer = make([]bits, len(rows)), make([]bits, len(rows))
	for i := range rows {
		c.closeOver(i)
	}
	for _, name := range selfScopes {
		c.self = c.self.or(c.implied[c.index[name]])
	}
	return c
}

// closeOver works out what scope i implies. Holding a server does not open its owner's model: subscopes read:users… stay
// behind when the filter is a server (specification 2.3).
func (c *catalogue) closeOver(i int) {
	var all bits
	c.collect(i, &all)
	c.implied[i], c.onServer[i] = all, all
	for j, s := range c.rows {
		if j != i && strings.HasPrefix(s.Name, "read:user") {
			c.onServer[i][j/64] &^= 1 << (j % 64)
		}
	}
}

func (c *catalogue) collect(i int, into *bits) {
	if into.has(i) {
		return
	}
	into.add(i)
	for _, name := range c.rows[i].Implies {
		c.collect(c.index[name], into)
	}
}
