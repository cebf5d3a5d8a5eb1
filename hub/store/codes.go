package store

import (
	"time"

	"jupyterhubd/hub"
)

// codeLife is how long an authorization code is good if its maker does not say (RFC 6749 section 4.1.2 allows ten minutes).
const codeLife = 5 * time.Minute

func codeRows(sum []byte, c hub.Code) []row {
	return []row{expiryRow(c.Expires, bucketCodes, string(sum))}
}

// NewCode makes an authorization code's value, 30 letters and digits, good for five minutes. Its client, user and session
// must exist.
func (tx *Tx) NewCode(c hub.Code) (value string, err error) {
	if _, err := tx.Client(c.Client); err != nil {
		return "", err
	}
	if _, err := tx.User(c.User); err != nil {
		return "", err
	}
	if _, err := tx.Session(c.Session); err != nil {
		return "", err
	}
	if c.Expires.IsZero() {
		c.Expires = tx.now().UTC().Add(codeLife)
	}
	value = random(30, letters)
	return value, save(tx, bucketCodes, hash(value), c, nil, codeRows(hash(value), c))
}

// Code returns a code without using it up: a failed exchange leaves it good (specification 9.15).
func (tx *Tx) Code(value string) (hub.Code, error) {
	c, ok, err := load[hub.Code](tx, bucketCodes, hash(value))
	if err != nil || !ok || !c.Expires.After(tx.now()) {
		return hub.Code{}, orMissing(err, "code", "")
	}
	return c, nil
}

// TakeCode returns a code and removes it: it is good once.
func (tx *Tx) TakeCode(value string) (hub.Code, error) {
	c, err := tx.Code(value)
	if err != nil {
		return hub.Code{}, err
	}
	return c, tx.erase(bucketCodes, hash(value), codeRows(hash(value), c))
}

// deleteCodes removes the codes that which picks. Codes live five minutes, so there are few enough to look at all.
func (tx *Tx) deleteCodes(which func(hub.Code) bool) error {
	for _, sum := range tx.keys(bucketCodes, nil) {
		c, _, err := load[hub.Code](tx, bucketCodes, []byte(sum))
		if err != nil {
			return err
		}
		if which(c) {
			if err := tx.erase(bucketCodes, []byte(sum), codeRows([]byte(sum), c)); err != nil {
				return err
			}
		}
	}
	return nil
}
