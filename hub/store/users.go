package store

import (
	"encoding/binary"
	"slices"

	"jupyterhubd/hub"
)

// userRows are the index rows of a user.
func userRows(u hub.User) []row {
	name := []byte(u.Name)
	rows := []row{
		{indexUserID, number(u.ID), name},
		{indexUserActivity, append(moment(u.LastActivity), number(u.ID)...), name},
	}
	if u.UID != hub.NoUID {
		rows = append(rows, row{indexUserUID, number(uint64(u.UID)), name})
	}
	for _, g := range u.Groups {
		rows = append(rows, row{indexMembers, key(g, u.Name), nil})
	}
	return rows
}

// User returns the user of that name.
func (tx *Tx) User(name string) (hub.User, error) {
	u, ok, err := tx.storedUser(name)
	if err != nil || !ok {
		return hub.User{}, orMissing(err, "user", name)
	}
	u.LastActivity = later(u.LastActivity, tx.touchedUser(name))
	return u, nil
}

// storedUser returns a user as the file has them, without newer activity; index rows are made from this.
func (tx *Tx) storedUser(name string) (hub.User, bool, error) {
	return recall(tx, &tx.s.users, bucketUsers, []byte(name))
}

// orMissing returns err, or the error that says that a thing does not exist.
func orMissing(err error, what, name string) error {
	if err != nil {
		return err
	}
	return hub.Errorf(hub.NotFound, "no such %s: %s", what, name)
}

// UserByUID returns the user whose account had that uid at the last login.
func (tx *Tx) UserByUID(uid int64) (hub.User, error) {
	name := tx.get(indexUserUID, number(uint64(uid)))
	if name == "" {
		return hub.User{}, hub.Errorf(hub.NotFound, "no user has uid %d", uid)
	}
	return tx.User(name)
}

// PutUser stores a user: a new one if ID is zero, which fails with Conflict if the name is taken, else the one of that ID and
// name. A uid that another user has is a Conflict; uid 0 is nobody's and becomes NoUID. Groups must exist. LastActivity only
// moves forward. It returns the user as stored.
func (tx *Tx) PutUser(u hub.User) (hub.User, error) {
	if err := checkName("user", u.Name); err != nil {
		return hub.User{}, err
	}
	old, exists, err := tx.storedUser(u.Name)
	switch {
	case err != nil:
		return hub.User{}, err
	case exists && u.ID == 0:
		return hub.User{}, hub.Errorf(hub.Conflict, "user %s already exists", u.Name)
	case exists && u.ID != old.ID, !exists && u.ID != 0:
		return hub.User{}, orMissing(nil, "user", u.Name)
	}
	if u, err = tx.completeUser(u, old); err != nil {
		return hub.User{}, err
	}
	var rows []row
	if exists {
		rows = userRows(old)
		tx.narrowUser(old, u)
	}
	return u, save(tx, bucketUsers, []byte(u.Name), u, rows, userRows(u))
}

// completeUser fills in what a caller may leave out and checks what refers to other records.
func (tx *Tx) completeUser(u, old hub.User) (hub.User, error) {
	if u.ID == 0 {
		id, err := tx.bucket(bucketUsers).NextSequence()
		if err != nil {
			return u, err
		}
		u.ID = id
		if err := tx.countUsers(+1); err != nil {
			return u, err
		}
	}
	if u.UID <= 0 {
		u.UID = hub.NoUID
	}
	if holder := tx.get(indexUserUID, number(uint64(u.UID))); u.UID != hub.NoUID && holder != "" && holder != u.Name {
		return u, hub.Errorf(hub.Conflict, "uid %d belongs to user %s", u.UID, holder)
	}
	if u.Created.IsZero() {
		u.Created = tx.now().UTC()
	}
	u.Groups, u.Roles = sorted(u.Groups), sorted(u.Roles)
	for _, g := range u.Groups {
		if _, err := tx.storedGroup(g); err != nil {
			return u, err
		}
	}
	u.LastActivity = later(u.LastActivity, old.LastActivity)
	return u, nil
}

// sorted returns a sorted copy without duplicates.
func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

// CountUsers returns how many users there are, without counting.
func (tx *Tx) CountUsers() int {
	return int(unnumber(tx.get(bucketMeta, keyUsers)))
}

func (tx *Tx) countUsers(by int64) error {
	n := uint64(int64(tx.CountUsers()) + by)
	return tx.bucket(bucketMeta).Put(keyUsers, binary.BigEndian.AppendUint64(nil, n))
}

// DeleteUser removes a user with everything of theirs: servers, tokens, sessions, OAuth clients, memberships, what was shared
// with them, and what their authenticator kept.
func (tx *Tx) DeleteUser(name string) error {
	u, ok, err := tx.storedUser(name)
	if err != nil || !ok {
		return orMissing(err, "user", name)
	}
	if err := tx.deleteBelongings(name); err != nil {
		return err
	}
	if err := tx.countUsers(-1); err != nil {
		return err
	}
	if err := tx.bucket(bucketAuthStates).Delete(number(u.ID)); err != nil {
		return err
	}
	tx.forget(name)
	return tx.erase(bucketUsers, []byte(name), userRows(u))
}

// deleteBelongings removes a user's servers with their clients, then tokens, then sessions.
func (tx *Tx) deleteBelongings(name string) error {
	for _, server := range tx.keys(bucketServers, key(name, "")) {
		if err := tx.DeleteServer(hub.ServerRef{User: name, Server: server}); err != nil {
			return err
		}
	}
	if err := tx.deleteClientsOfUser(name); err != nil {
		return err
	}
	if err := tx.deleteShares(tx.keys(indexShareWith, key("user", name, ""))); err != nil {
		return err
	}
	if err := tx.DeleteTokensOf(hub.Owner{Kind: hub.OwnerUser, Name: name}); err != nil {
		return err
	}
	if err := tx.forgetUsage(name, "9999-99-99"); err != nil {
		return err
	}
	return tx.DeleteSessionsOfUser(name)
}

// RenameUser gives a user another name. Their servers, tokens, sessions and memberships go along; their servers' OAuth
// clients and own tokens end, because both carry the old name: stop the servers first.
func (tx *Tx) RenameUser(old, name string) error {
	u, err := tx.User(old)
	if err != nil {
		return err
	}
	if err := checkName("user", name); err != nil {
		return err
	}
	if _, taken, err := tx.storedUser(name); err != nil || taken {
		return orTaken(err, "user", name)
	}
	if err := tx.deleteClientsOfUser(old); err != nil {
		return err
	}
	if err := tx.deleteCodes(func(c hub.Code) bool { return c.User == old }); err != nil {
		return err
	}
	stored, _, err := tx.storedUser(old)
	if err != nil {
		return err
	}
	if err := tx.erase(bucketUsers, []byte(old), userRows(stored)); err != nil {
		return err
	}
	u.Name = name
	if err := save(tx, bucketUsers, []byte(name), u, nil, userRows(u)); err != nil {
		return err
	}
	tx.forget(old)
	tx.narrow(name) // what was open to the former name may be closed to this one
	return tx.renameBelongings(old, name)
}

func orTaken(err error, what, name string) error {
	if err != nil {
		return err
	}
	return hub.Errorf(hub.Conflict, "%s %s already exists", what, name)
}

func (tx *Tx) renameBelongings(old, name string) error {
	for _, server := range tx.keys(bucketServers, key(old, "")) {
		if err := tx.renameServer(hub.ServerRef{User: old, Server: server}, hub.ServerRef{User: name, Server: server}); err != nil {
			return err
		}
	}
	if err := tx.renameSharee(old, name); err != nil {
		return err
	}
	for _, id := range tx.keys(indexTokenOwner, key(string(hub.OwnerUser), old, "")) {
		if err := tx.changeToken(unnumber(id), func(t *tokenRecord) { t.Owner.Name = name }); err != nil {
			return err
		}
	}
	for _, id := range tx.keys(indexSessionUser, key(old, "")) {
		if err := tx.changeSession(id, func(s *sessionRecord) { s.User = name }); err != nil {
			return err
		}
	}
	return tx.renameUsage(old, name)
}
