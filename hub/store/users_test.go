package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

func owner(user string) hub.Owner { return hub.Owner{Kind: hub.OwnerUser, Name: user} }

func names(users []hub.User) (names []string) {
	for _, u := range users {
		names = append(names, u.Name)
	}
	return names
}

func TestUsers(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "admin", "alice", "bob")
	must(t, s, func(tx *Tx) error {
		u, err := tx.User("alice")
		if u.ID != 2 || u.UID != 1002 || !u.Created.Equal(c.now()) {
			t.Errorf("alice is %+v", u)
		}
		if by, err := tx.UserByUID(1003); err != nil || by.Name != "bob" {
			t.Errorf("uid 1003 is %+v, %v", by, err)
		}
		_, err2 := tx.PutUser(hub.User{Name: "alice"})
		wantKind(t, err2, hub.Conflict, "alice already exists")
		_, err2 = tx.PutUser(hub.User{ID: u.ID, Name: "alice", UID: 1003})
		wantKind(t, err2, hub.Conflict, "belongs to user bob")
		_, err2 = tx.PutUser(hub.User{ID: 99, Name: "mallory"})
		wantKind(t, err2, hub.NotFound)
		_, err2 = tx.PutUser(hub.User{ID: u.ID, Name: "alice", Groups: []string{"nobody-made-it"}})
		wantKind(t, err2, hub.NotFound, "no such group")
		return err
	})
	for _, bad := range []string{"", "a/b", "a\x00b", "\xff", strings.Repeat("x", 256)} {
		err := s.Update(func(tx *Tx) error { _, err := tx.PutUser(hub.User{Name: bad}); return err })
		wantKind(t, err, hub.Invalid)
	}
}

// A user who was never looked up, or whom somebody made with uid 0, is nobody's account: root is never a user.
func TestNobodyIsRoot(t *testing.T) {
	s, _ := cellar(t)
	must(t, s, func(tx *Tx) error {
		u, err := tx.PutUser(hub.User{Name: "robot"})
		if u.UID != hub.NoUID {
			t.Errorf("uid %d", u.UID)
		}
		_, err2 := tx.UserByUID(0)
		wantKind(t, err2, hub.NotFound)
		return err
	})
}

func TestListOfUsers(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "bob", "Alina", "alice", "mallory")
	s.TouchUser("alice", c.now().Add(-time.Hour))
	s.TouchUser("bob", c.now().Add(-2*time.Hour))
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	s.TouchUser("bob", c.now()) // newer than the file
	tests := []struct {
		query UserQuery
		want  string
		total int
	}{
		{UserQuery{}, "bob Alina alice mallory", 4},
		{UserQuery{Sort: "-id"}, "mallory alice Alina bob", 4},
		{UserQuery{Sort: "name"}, "Alina alice bob mallory", 4},
		{UserQuery{Sort: "-name", Limit: 2}, "mallory bob", 4},
		{UserQuery{Sort: "last_activity"}, "Alina mallory alice bob", 4},
		{UserQuery{Sort: "-last_activity"}, "bob alice mallory Alina", 4},
		{UserQuery{Sort: "-last_activity", Offset: 1, Limit: 1}, "alice", 4},
		{UserQuery{NameContains: "ALI"}, "Alina alice", 2},
		{UserQuery{NameContains: "ali", Offset: 1, Limit: 1}, "alice", 2},
		{UserQuery{Offset: 9}, "", 4},
		{UserQuery{Only: []string{"mallory", "gone", "bob"}, Sort: "name"}, "bob mallory", 2},
		{UserQuery{Only: []string{}}, "", 0},
		{UserQuery{Keep: func(n string) bool { return n != "bob" }, Limit: 1}, "Alina", 3},
	}
	view(t, s, func(tx *Tx) error {
		for _, tt := range tests {
			got, total, err := tx.Users(tt.query)
			if err != nil || strings.Join(names(got), " ") != tt.want || total != tt.total {
				t.Errorf("%+v: %v of %d, %v; want %s of %d", tt.query, names(got), total, err, tt.want, tt.total)
			}
		}
		_, _, err := tx.Users(UserQuery{Sort: "shoe-size"})
		wantKind(t, err, hub.Invalid)
		return nil
	})
}

// The first page of a long list must not read the rest: it reads as many records as it shows.
func TestFirstPageReadsOnePage(t *testing.T) {
	s, _ := cellar(t)
	must(t, s, func(tx *Tx) error {
		for i := range 5000 {
			if _, err := tx.PutUser(hub.User{Name: fmt.Sprintf("student-%05d", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *Tx) error {
		for _, sort := range []string{"id", "-id", "name", "-name", "last_activity", "-last_activity"} {
			seen := 0
			walked, err := tx.names(UserQuery{Sort: sort})
			if err != nil {
				return err
			}
			for range walked {
				if seen++; seen == 50 {
					break
				}
			}
			page, total, err := tx.Users(UserQuery{Sort: sort, Limit: 50})
			if err != nil || len(page) != 50 || total != 5000 || seen != 50 {
				t.Errorf("%s: %d of %d, %v", sort, len(page), total, err)
			}
		}
		return nil
	})
}

func TestGroupsAndMembersAreOneFact(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice", "bob")
	must(t, s, func(tx *Tx) error {
		g, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"bob", "alice", "bob"}, Roles: []string{"teacher"}})
		if err != nil {
			return err
		}
		if !slices.Equal(g.Users, []string{"alice", "bob"}) {
			t.Errorf("members %v", g.Users)
		}
		u, err := tx.User("alice")
		if !slices.Equal(u.Groups, []string{"class"}) || !slices.Equal(tx.GroupRoles(u.Groups), []string{"teacher"}) {
			t.Errorf("alice is in %v with roles %v", u.Groups, tx.GroupRoles(u.Groups))
		}
		u.Groups = nil
		if _, err := tx.PutUser(u); err != nil {
			return err
		}
		if g, _ = tx.Group("class"); !slices.Equal(g.Users, []string{"bob"}) {
			t.Errorf("members after alice left: %v", g.Users)
		}
		return err
	})
	_, err := putGroup(s, hub.Group{Name: "class"})
	wantKind(t, err, hub.Conflict)
	_, err = putGroup(s, hub.Group{Name: "staff", Users: []string{"mallory"}})
	wantKind(t, err, hub.NotFound, "no such user: mallory")
	must(t, s, func(tx *Tx) error { return tx.DeleteGroup("class") })
	view(t, s, func(tx *Tx) error {
		u, err := tx.User("bob")
		if len(u.Groups) != 0 {
			t.Errorf("bob is in %v", u.Groups)
		}
		return err
	})
}

func putGroup(s *Store, g hub.Group) (out hub.Group, err error) {
	err = s.Update(func(tx *Tx) error { out, err = tx.PutGroup(g); return err })
	return out, err
}

func TestRenameTakesEverythingAlong(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice", "bob")
	var value, cookie string
	must(t, s, func(tx *Tx) error {
		if _, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"alice"}}); err != nil {
			return err
		}
		if err := tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: "alice", Server: "lab"}, DisplayName: "Lab"}); err != nil {
			return err
		}
		var err error
		if value, _, err = tx.NewToken(hub.Token{Owner: owner("alice")}); err != nil {
			return err
		}
		cookie, _, err = tx.NewSession(hub.Session{User: "alice", Expires: c.now().Add(time.Hour)})
		return err
	})
	err := s.Update(func(tx *Tx) error { return tx.RenameUser("alice", "bob") })
	wantKind(t, err, hub.Conflict)
	must(t, s, func(tx *Tx) error { return tx.RenameUser("alice", "alicia") })
	view(t, s, func(tx *Tx) error {
		_, err := tx.User("alice")
		wantKind(t, err, hub.NotFound)
		u, err := tx.User("alicia")
		if err != nil || u.ID != 1 || u.UID != 1001 || len(u.Groups) != 1 {
			t.Errorf("alicia is %+v, %v", u, err)
		}
		if token, err := tx.TokenByValue(value); err != nil || token.Owner.Name != "alicia" {
			t.Errorf("her token is %+v, %v", token, err)
		}
		if session, err := tx.SessionByCookie(cookie); err != nil || session.User != "alicia" {
			t.Errorf("her session is %+v, %v", session, err)
		}
		if servers := tx.Servers("alicia"); len(servers) != 1 || servers[0].DisplayName != "Lab" {
			t.Errorf("her servers are %+v", servers)
		}
		return nil
	})
}

// Nothing of a removed user is left, and whoever gets the name next finds nothing of theirs.
func TestDeletedUserLeavesNothing(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice", "bob")
	must(t, s, func(tx *Tx) error { return tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: "alice"}}) })
	before := contents(t, s)
	must(t, s, func(tx *Tx) error {
		u, err := tx.PutUser(hub.User{Name: "mallory"})
		if err != nil {
			return err
		}
		ref := hub.ServerRef{User: u.Name, Server: "x"}
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		if err := tx.PutClient(hub.Client{ID: "c", Server: ref}, "secret"); err != nil {
			return err
		}
		_, session, err := tx.NewSession(hub.Session{User: u.Name, Expires: c.now().Add(time.Hour)})
		if err != nil {
			return err
		}
		for _, name := range []string{"alice", "mallory"} { // alice's token for mallory's server goes too
			token := hub.Token{Owner: owner(name), Client: "c"}
			if name == "mallory" {
				token.Session = session.ID
			}
			if _, _, err := tx.NewToken(token); err != nil {
				return err
			}
		}
		if _, err := tx.NewCode(hub.Code{Client: "c", User: "mallory", Session: session.ID}); err != nil {
			return err
		}
		return shareBothWays(tx, ref, c.now())
	})
	s.TouchUser("mallory", c.now())
	s.Touch(hub.ServerRef{User: "mallory", Server: "x"}, c.now())
	must(t, s, func(tx *Tx) error { return tx.DeleteUser("mallory") })
	if after := contents(t, s); after != before {
		t.Errorf("left over:\n%s\nwas\n%s", after, before)
	}
	must(t, s, func(tx *Tx) error {
		u, err := tx.PutUser(hub.User{Name: "mallory"})
		if !u.LastActivity.IsZero() {
			t.Error("the next mallory was active before she came")
		}
		return err
	})
}

// shareBothWays shares a server of mallory's with alice, one of alice's with mallory, and makes a code.
func shareBothWays(tx *Tx, ref hub.ServerRef, now time.Time) error {
	hers := hub.ServerRef{User: "alice"}
	for _, s := range []hub.Share{{Server: ref, User: "alice"}, {Server: hers, User: ref.User}} {
		s.Scopes = []string{"access:servers"}
		if _, err := tx.PutShare(s); err != nil {
			return err
		}
	}
	_, _, err := tx.NewShareCode(hub.ShareCode{Server: ref, Scopes: []string{"access:servers"}, Expires: now.Add(time.Hour)})
	return err
}

// contents prints all keys of all buckets but the counters'.
func contents(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	view(t, s, func(tx *Tx) error {
		for _, bucket := range append(slices.Clone(recordBuckets), indexBuckets...) {
			if bucket == bucketMeta {
				continue
			}
			for _, k := range tx.keys(bucket, nil) {
				fmt.Fprintf(&b, "%s %q\n", bucket, k)
			}
		}
		return nil
	})
	return b.String()
}
