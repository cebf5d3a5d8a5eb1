package store

import (
	"crypto/subtle"
	"slices"

	"jupyterhubd/hub"
)

// shareCodeRecord is a code for a share as it is kept: its value's hash instead of its value.
type shareCodeRecord struct {
	hub.ShareCode
	Hash []byte `json:"hash"`
}

func shareCodeRows(c shareCodeRecord) []row {
	id := number(c.ID)
	return []row{
		{indexShareCodeHash, c.Hash, id},
		{indexShareCodeServer, append(key(c.Server.User, c.Server.Server, ""), id...), nil},
		expiryRow(c.Expires, bucketShareCodes, string(id)),
	}
}

// NewShareCode makes a code of 43 characters, 256 bits, which is shown this once. Its server must exist, and it has an end.
func (tx *Tx) NewShareCode(c hub.ShareCode) (value string, _ hub.ShareCode, err error) {
	if _, err := tx.Server(c.Server); err != nil {
		return "", hub.ShareCode{}, err
	}
	if c.Expires.IsZero() || len(c.Scopes) == 0 {
		return "", hub.ShareCode{}, hub.Errorf(hub.Invalid, "a code for a share has an end, and is for something")
	}
	if tx.full(indexShareCodeServer, c.Server.User) {
		return "", hub.ShareCode{}, orCrowded(nil, "too many codes: revoke some first", 0)
	}
	if c.ID, err = tx.bucket(bucketShareCodes).NextSequence(); err != nil {
		return "", hub.ShareCode{}, err
	}
	if c.Created.IsZero() {
		c.Created = tx.now().UTC()
	}
	c.Scopes = sorted(c.Scopes)
	value = random(43, base64URL)
	rec := shareCodeRecord{c, hash(value)}
	return value, c, save(tx, bucketShareCodes, number(c.ID), rec, nil, shareCodeRows(rec))
}

// ShareCode returns the code of that id; one that is expired is NotFound.
func (tx *Tx) ShareCode(id uint64) (hub.ShareCode, error) {
	c, err := tx.shareCode(string(number(id)))
	return c.ShareCode, err
}

// ShareCodeByValue returns the code with that value.
func (tx *Tx) ShareCodeByValue(value string) (hub.ShareCode, error) {
	sum := hash(value)
	c, err := tx.shareCode(tx.get(indexShareCodeHash, sum))
	if err != nil || subtle.ConstantTimeCompare(c.Hash, sum) != 1 {
		return hub.ShareCode{}, orMissing(err, "share code", "")
	}
	return c.ShareCode, nil
}

func (tx *Tx) shareCode(id string) (shareCodeRecord, error) {
	c, ok, err := load[shareCodeRecord](tx, bucketShareCodes, []byte(id))
	if err != nil || !ok || !c.Expires.After(tx.now()) {
		return shareCodeRecord{}, orMissing(err, "share code", "")
	}
	return c, nil
}

// ShareCodesOf returns the codes for the servers of a user that are not expired, in the order in which they were made.
func (tx *Tx) ShareCodesOf(owner string) (codes []hub.ShareCode) {
	for _, tail := range tx.keys(indexShareCodeServer, key(owner, "")) {
		if len(tail) < 8 { // a server's name, a zero byte, an id
			continue
		}
		if c, err := tx.shareCode(tail[len(tail)-8:]); err == nil {
			codes = append(codes, c.ShareCode)
		}
	}
	slices.SortFunc(codes, func(a, b hub.ShareCode) int { return int(a.ID) - int(b.ID) })
	return codes
}

// ShareCodesOfServer returns the codes for one server that are not expired.
func (tx *Tx) ShareCodesOfServer(ref hub.ServerRef) (codes []hub.ShareCode) {
	for _, id := range tx.keys(indexShareCodeServer, key(ref.User, ref.Server, "")) {
		if c, err := tx.shareCode(id); err == nil {
			codes = append(codes, c.ShareCode)
		}
	}
	return codes
}

// ExchangeShareCode shares what a code is for with a user, and counts that. The code stays good.
func (tx *Tx) ExchangeShareCode(value, user string) (hub.Share, error) {
	c, err := tx.ShareCodeByValue(value)
	if err != nil {
		return hub.Share{}, err
	}
	share, err := tx.PutShare(hub.Share{Server: c.Server, User: user, Scopes: c.Scopes})
	if err != nil {
		return hub.Share{}, err
	}
	return share, tx.changeShareCode(string(number(c.ID)), func(c *shareCodeRecord) {
		c.Exchanges++
		c.LastExchanged = tx.now().UTC()
	})
}

// DeleteShareCode revokes a code. Who exchanged it before keeps what they got.
func (tx *Tx) DeleteShareCode(id uint64) error {
	c, ok, err := load[shareCodeRecord](tx, bucketShareCodes, number(id))
	if err != nil || !ok {
		return orMissing(err, "share code", "")
	}
	return tx.erase(bucketShareCodes, number(id), shareCodeRows(c))
}

func (tx *Tx) changeShareCode(id string, change func(*shareCodeRecord)) error {
	c, ok, err := load[shareCodeRecord](tx, bucketShareCodes, []byte(id))
	if err != nil || !ok {
		return orMissing(err, "share code", "")
	}
	old := shareCodeRows(c)
	change(&c)
	return save(tx, bucketShareCodes, []byte(id), c, old, shareCodeRows(c))
}

func (tx *Tx) deleteShareCodesOfServer(ref hub.ServerRef) error {
	for _, id := range tx.keys(indexShareCodeServer, key(ref.User, ref.Server, "")) {
		if err := tx.DeleteShareCode(unnumber(id)); err != nil {
			return err
		}
	}
	return nil
}
