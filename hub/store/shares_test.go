package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
)

// What the model remembers of shares.
type modelShare struct {
	server      hub.ServerRef
	user, group string
}

type modelCode struct {
	server  hub.ServerRef
	scopes  []string
	expires time.Time
}

func drawShare(t *rapid.T) modelShare {
	s := modelShare{server: server(t)}
	if rapid.Bool().Draw(t, "with a group") {
		s.group = rapid.SampledFrom(someGroups).Draw(t, "group")
	} else {
		s.user = person(t)
	}
	return s
}

func drawShared(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"access:servers", "read:servers", "start:servers"}), 1, 3, rapid.ID).Draw(t, "scopes")
}

func (m *machine) PutShare(t *rapid.T) {
	s, scopes := drawShare(t), drawShared(t)
	_, exists := m.servers[s.server]
	if m.do(t, exists && (m.has(s.user) || m.groups[s.group]), func(tx *Tx) error {
		_, err := tx.PutShare(hub.Share{Server: s.server, User: s.user, Group: s.group, Scopes: scopes})
		return err
	}) {
		m.shares[s] = sorted(append(m.shares[s], scopes...))
	}
}

func (m *machine) NarrowShare(t *rapid.T) {
	s, scopes := drawShare(t), drawShared(t)
	have, exists := m.shares[s]
	left := slices.DeleteFunc(slices.Clone(have), func(scope string) bool { return slices.Contains(scopes, scope) })
	if !m.do(t, exists, func(tx *Tx) error {
		share, err := tx.Share(s.server, s.user, s.group)
		if err != nil {
			return err
		}
		if _, ok, err := tx.NarrowShare(share, scopes); err != nil || ok != (len(left) > 0) {
			t.Fatalf("%v without %v: %v, %v", have, scopes, ok, err)
		}
		return nil
	}) {
		return
	}
	if m.shares[s] = left; len(left) == 0 {
		delete(m.shares, s)
	}
}

func (m *machine) MoveShares(t *rapid.T) {
	from := server(t)
	to := hub.ServerRef{User: from.User, Server: rapid.SampledFrom(someServers).Draw(t, "to")}
	_, exists := m.servers[to]
	for s := range m.shares { // whoever moves them made the new server a moment ago
		exists = exists && s.server != to
	}
	if !exists || from == to {
		t.Skip("not a new server")
	}
	m.do(t, true, func(tx *Tx) error { return tx.MoveShares(from, to) })
	m.moveShares(from, to)
}

func (m *machine) NewShareCode(t *rapid.T) {
	ref, scopes := server(t), sorted(drawShared(t))
	expires := m.clock.now().Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour)
	_, exists := m.servers[ref]
	var value string
	if m.do(t, exists, func(tx *Tx) (err error) {
		value, _, err = tx.NewShareCode(hub.ShareCode{Server: ref, Scopes: scopes, Expires: expires})
		return err
	}) {
		m.codes[value] = modelCode{ref, scopes, expires}
	}
}

func (m *machine) ExchangeShareCode(t *rapid.T) {
	if len(m.codes) == 0 {
		t.Skip("there is no code")
	}
	value, user := rapid.SampledFrom(slices.Sorted(maps.Keys(m.codes))).Draw(t, "code"), person(t)
	c := m.codes[value]
	if m.do(t, c.expires.After(m.clock.now()) && m.has(user), func(tx *Tx) error { _, err := tx.ExchangeShareCode(value, user); return err }) {
		s := modelShare{server: c.server, user: user}
		m.shares[s] = sorted(append(m.shares[s], c.scopes...))
	}
}

func (m *machine) endShares(which func(modelShare) bool) {
	maps.DeleteFunc(m.shares, func(s modelShare, _ []string) bool { return which(s) })
	maps.DeleteFunc(m.codes, func(_ string, c modelCode) bool { return which(modelShare{server: c.server}) })
}

func (m *machine) renameInShares(old, name string) {
	for s, scopes := range maps.Clone(m.shares) {
		delete(m.shares, s)
		if s.server.User == old {
			s.server.User = name
		}
		if s.user == old {
			s.user = name
		}
		m.shares[s] = scopes
	}
	for value, c := range m.codes {
		if c.server.User == old {
			c.server.User = name
			m.codes[value] = c
		}
	}
}

func (m *machine) moveShares(from, to hub.ServerRef) {
	for s, scopes := range maps.Clone(m.shares) {
		if s.server == from {
			delete(m.shares, s)
			s.server = to
			m.shares[s] = scopes
		}
	}
	for value, c := range m.codes {
		if c.server == from {
			c.server = to
			m.codes[value] = c
		}
	}
}

func (m *machine) checkShares(t *rapid.T, tx *Tx) {
	if n := len(tx.keys(bucketShares, nil)); n != len(m.shares) {
		t.Fatalf("%d shares, want %d", n, len(m.shares))
	}
	for s, scopes := range m.shares {
		got, err := tx.Share(s.server, s.user, s.group)
		if err != nil || !slices.Equal(got.Scopes, scopes) {
			t.Fatalf("%+v is %+v (%v), want %v", s, got, err, scopes)
		}
	}
	for name, u := range m.users {
		var want []string
		for s, scopes := range m.shares {
			if s.user == name || u.groups[s.group] {
				want = append(want, hub.ScopesFor(s.server, scopes)...)
			}
		}
		if got := sorted(tx.SharedScopes(name, slices.Collect(maps.Keys(u.groups)))); !slices.Equal(got, sorted(want)) {
			t.Fatalf("%s holds %v of others, want %v", name, got, want)
		}
	}
	for value, want := range m.codes {
		c, err := tx.ShareCodeByValue(value)
		good := want.expires.After(m.clock.now())
		if err == nil != good || good && c.Server != want.server {
			t.Fatalf("code %+v (%v), want %+v", c, err, want)
		}
	}
}

// A file of the first schema is copied beside itself and brought up; everything in it is still there.
func TestSchema1IsMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	f, err := os.Open("testdata/schema-1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	old, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	must(t, s, func(tx *Tx) error {
		if token, err := tx.TokenByValue("alices-old-token"); err != nil || token.Owner.Name != "alice" {
			t.Errorf("alice's token is %+v, %v", token, err)
		}
		_, err := tx.PutShare(hub.Share{Server: hub.ServerRef{User: "alice", Server: "lab"}, Group: "class", Scopes: []string{"access:servers"}})
		return err
	})
	kept, err := os.ReadFile(path + ".schema-1")
	if err != nil || len(kept) == 0 || bytes.Equal(kept[:64], make([]byte, 64)) {
		t.Errorf("the copy is %d bytes, %v", len(kept), err)
	}
}

func TestSharesAreBounded(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice", "bob")
	ref := hub.ServerRef{User: "alice"}
	must(t, s, func(tx *Tx) error {
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		for _, bad := range []hub.Share{{Server: ref, Scopes: []string{"x"}}, {Server: ref, User: "bob"}, {Server: ref, User: "bob", Group: "class", Scopes: []string{"x"}}} {
			_, err := tx.PutShare(bad)
			wantKind(t, err, hub.Invalid)
		}
		return nil
	})
	undone := errors.New("undone")
	err := s.Update(func(tx *Tx) error {
		for n := range uint64(maxShares) {
			for index, row := range map[string][]byte{indexShareCodeServer: key("alice", "", string(number(n))), indexShareServer: key("alice", "", "user", string(number(n)))} {
				if err := tx.bucket(index).Put(row, nil); err != nil {
					return err
				}
			}
		}
		_, _, err := tx.NewShareCode(hub.ShareCode{Server: ref, Scopes: []string{"access:servers"}, Expires: c.now().Add(time.Hour)})
		wantKind(t, err, hub.TooMany)
		_, err = tx.PutShare(hub.Share{Server: ref, User: "bob", Scopes: []string{"access:servers"}})
		wantKind(t, err, hub.TooMany)
		return undone
	})
	if !errors.Is(err, undone) {
		t.Error(err)
	}
}
