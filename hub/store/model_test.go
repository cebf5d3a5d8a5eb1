package store

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
)

// Check runs after every verb.
func (m *machine) Check(t *rapid.T) {
	if err := m.store.Check(); err != nil {
		t.Fatal(err)
	}
	err := m.store.View(func(tx *Tx) error {
		m.checkUsers(t, tx)
		m.checkSecrets(t, tx)
		m.checkShares(t, tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) checkUsers(t *rapid.T, tx *Tx) {
	got, total, err := tx.Users(UserQuery{Sort: "-last_activity"})
	if err != nil || total != len(m.users) || len(got) != total {
		t.Fatalf("%d users of %d, want %d (%v)", len(got), total, len(m.users), err)
	}
	for i, u := range got {
		want, ok := m.users[u.Name]
		if !ok || !u.LastActivity.Equal(want.active) || !slices.Equal(u.Groups, slices.Sorted(maps.Keys(want.groups))) {
			t.Fatalf("user %+v, want %+v", u, want)
		}
		if state, err := tx.AuthState(u.Name); err != nil || string(state) != want.state {
			t.Fatalf("%s's auth state is %q, %v, want %q", u.Name, state, err, want.state)
		}
		if i > 0 && got[i-1].LastActivity.Before(u.LastActivity) {
			t.Fatalf("%s before %s in the order of activity", got[i-1].Name, u.Name)
		}
	}
	groups, _, err := tx.Groups(GroupQuery{})
	if err != nil || len(groups) != len(m.groups) {
		t.Fatalf("%d groups, want %d (%v)", len(groups), len(m.groups), err)
	}
	n := 0
	err = tx.EachServer(func(s hub.Server) error {
		n++
		if at, ok := m.servers[s.ServerRef]; !ok || !s.LastActivity.Equal(at) {
			t.Fatalf("server %+v, want %v", s, at)
		}
		return nil
	})
	if err != nil || n != len(m.servers) {
		t.Fatalf("%d servers, want %d (%v)", n, len(m.servers), err)
	}
}

func (m *machine) checkSecrets(t *rapid.T, tx *Tx) {
	now := m.clock.now()
	for value, want := range m.tokens {
		k, err := tx.TokenByValue(value)
		good := want.expires.IsZero() || want.expires.After(now)
		if err == nil != good || good && k.Owner.Name != want.owner {
			t.Fatalf("token %+v (%v), want %+v", k, err, want)
		}
	}
	if n := len(tx.keys(bucketTokens, nil)); n != len(m.tokens) {
		t.Fatalf("%d tokens, want %d", n, len(m.tokens))
	}
	for cookie, want := range m.sessions {
		s, err := tx.SessionByCookie(cookie)
		good := want.expires.After(now)
		if err == nil != good || good && s.User != want.user {
			t.Fatalf("session %+v (%v), want %+v", s, err, want)
		}
	}
	if n := len(tx.keys(bucketClients, nil)); n != len(m.clients) {
		t.Fatalf("%d clients, want %d", n, len(m.clients))
	}
}
