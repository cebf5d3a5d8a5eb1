package store

import (
	"slices"

	"jupyterhubd/hub"
)

// maxShares bounds how many shares, and how many codes, there are of the servers of one user.
const maxShares = 20000

// shareRows: one share for a server and whom it is shared with.
func shareRows(s hub.Share) []row {
	id := number(s.ID)
	kind, name := shareWith(s)
	return []row{
		{indexShareServer, key(s.Server.User, s.Server.Server, kind, name), id},
		{indexShareWith, append(key(kind, name, ""), id...), nil},
	}
}

func shareWith(s hub.Share) (kind, name string) {
	if s.Group != "" {
		return "group", s.Group
	}
	return "user", s.User
}

// Share returns the share of a server with a user, or with a group: one of user and group is empty.
func (tx *Tx) Share(ref hub.ServerRef, user, group string) (hub.Share, error) {
	kind, name := shareWith(hub.Share{User: user, Group: group})
	return tx.share(tx.get(indexShareServer, key(ref.User, ref.Server, kind, name)))
}

func (tx *Tx) share(id string) (hub.Share, error) {
	s, ok, err := load[hub.Share](tx, bucketShares, []byte(id))
	if err != nil || !ok {
		return hub.Share{}, orMissing(err, "share", "")
	}
	return s, nil
}

// PutShare shares a server, which must exist, with a user or a group, which must exist too. What was shared with them before
// stays: scopes are added. An owner who shares too much gets TooMany.
func (tx *Tx) PutShare(s hub.Share) (hub.Share, error) {
	if err := tx.checkShare(s); err != nil {
		return hub.Share{}, err
	}
	old, err := tx.Share(s.Server, s.User, s.Group)
	switch {
	case err == nil:
		old.Scopes = sorted(append(old.Scopes, s.Scopes...))
		return old, save(tx, bucketShares, number(old.ID), old, nil, nil)
	case hub.KindOf(err) != hub.NotFound:
		return hub.Share{}, err
	case tx.full(indexShareServer, s.Server.User):
		return hub.Share{}, orCrowded(nil, "too many shares: take some back first", 0)
	}
	if s.ID, err = tx.bucket(bucketShares).NextSequence(); err != nil {
		return hub.Share{}, err
	}
	if s.Created.IsZero() {
		s.Created = tx.now().UTC()
	}
	s.Scopes = sorted(s.Scopes)
	return s, save(tx, bucketShares, number(s.ID), s, nil, shareRows(s))
}

// full reports whether a user's servers have as many shares, or codes, as an index of these may hold.
func (tx *Tx) full(index, owner string) bool {
	n := 0
	_ = tx.scan(index, key(owner, ""), func(_, _ []byte) error { n++; return nil }) // counting never fails
	return n >= maxShares
}

func (tx *Tx) checkShare(s hub.Share) error {
	if (s.User == "") == (s.Group == "") || len(s.Scopes) == 0 {
		return hub.Errorf(hub.Invalid, "a share is for a user or a group, and of something")
	}
	if _, err := tx.Server(s.Server); err != nil {
		return err
	}
	if s.Group != "" {
		_, err := tx.storedGroup(s.Group)
		return err
	}
	_, err := tx.User(s.User)
	return err
}

// NarrowShare takes scopes out of a share; without any left, or with no scopes named, the share is gone and ok is false.
func (tx *Tx) NarrowShare(s hub.Share, scopes []string) (_ hub.Share, ok bool, err error) {
	s.Scopes = slices.DeleteFunc(slices.Clone(s.Scopes), func(have string) bool { return len(scopes) == 0 || slices.Contains(scopes, have) })
	if len(s.Scopes) == 0 {
		return s, false, tx.DeleteShare(s.ID)
	}
	tx.narrowSharee(s)
	return s, true, save(tx, bucketShares, number(s.ID), s, nil, nil)
}

// DeleteShare takes back what was shared.
func (tx *Tx) DeleteShare(id uint64) error {
	s, err := tx.share(string(number(id)))
	if err != nil {
		return err
	}
	tx.narrowSharee(s)
	return tx.erase(bucketShares, number(id), shareRows(s))
}

// SharesOf returns the shares of all servers of a user, in the order in which they were made.
func (tx *Tx) SharesOf(owner string) []hub.Share {
	return tx.shares(tx.values(indexShareServer, key(owner, "")))
}

// SharesOfServer returns the shares of one server.
func (tx *Tx) SharesOfServer(ref hub.ServerRef) []hub.Share {
	return tx.shares(tx.values(indexShareServer, key(ref.User, ref.Server, "")))
}

// SharedWith returns what is shared with a user, by themselves or through groups.
func (tx *Tx) SharedWith(user string, groups []string) []hub.Share {
	ids := tx.keys(indexShareWith, key("user", user, ""))
	for _, g := range groups {
		ids = append(ids, tx.keys(indexShareWith, key("group", g, ""))...)
	}
	return tx.shares(ids)
}

// SharedWithGroup returns what is shared with a group.
func (tx *Tx) SharedWithGroup(group string) []hub.Share {
	return tx.shares(tx.keys(indexShareWith, key("group", group, "")))
}

// SharedScopes returns what shares add to what a user holds who is in these groups.
func (tx *Tx) SharedScopes(user string, groups []string) (scopes []string) {
	for _, s := range tx.SharedWith(user, groups) {
		scopes = append(scopes, hub.ScopesFor(s.Server, s.Scopes)...)
	}
	return scopes
}

func (tx *Tx) shares(ids []string) (shares []hub.Share) {
	slices.Sort(ids)
	for _, id := range ids {
		if s, err := tx.share(id); err == nil {
			shares = append(shares, s)
		}
	}
	return shares
}

// deleteShares removes what hangs on a server, a user or a group that goes.
func (tx *Tx) deleteShares(ids []string) error {
	for _, id := range ids {
		if err := tx.DeleteShare(unnumber(id)); err != nil {
			return err
		}
	}
	return nil
}

// MoveShares gives a server's shares and codes to another server of the same user's: the same one under another name.
func (tx *Tx) MoveShares(from, to hub.ServerRef) error {
	if _, err := tx.Server(to); err != nil {
		return err
	}
	for _, id := range tx.values(indexShareServer, key(from.User, from.Server, "")) {
		if err := tx.changeShare(id, func(s *hub.Share) { s.Server = to }); err != nil {
			return err
		}
	}
	for _, id := range tx.keys(indexShareCodeServer, key(from.User, from.Server, "")) {
		if err := tx.changeShareCode(id, func(c *shareCodeRecord) { c.Server = to }); err != nil {
			return err
		}
	}
	return nil
}

// renameSharee follows a user who has another name now.
func (tx *Tx) renameSharee(old, name string) error {
	for _, id := range tx.keys(indexShareWith, key("user", old, "")) {
		if err := tx.changeShare(id, func(s *hub.Share) { s.User = name }); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) changeShare(id string, change func(*hub.Share)) error {
	s, err := tx.share(id)
	if err != nil {
		return err
	}
	old := shareRows(s)
	change(&s)
	return save(tx, bucketShares, []byte(id), s, old, shareRows(s))
}
