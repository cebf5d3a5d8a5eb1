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

// maxCodes bounds how many codes of one user are good at a time: a browser can make them in a loop.
const maxCodes = 64

// NewCode makes an authorization code's value, 30 letters and digits, good for five minutes. Its client, user and session
// must exist. A user who has too many gets TooMany.
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
	if n, err := tx.countCodes(c.User); err != nil || n >= maxCodes {
		return "", orCrowded(err, "too many logins to servers and services are under way", codeLife)
	}
	if c.Expires.IsZero() {
		c.Expires = tx.now().UTC().Add(codeLife)
	}
	value = random(30, letters)
	return value, save(tx, bucketCodes, hash(value), c, nil, codeRows(hash(value), c))
}

// countCodes counts a user's codes that are good.
func (tx *Tx) countCodes(user string) (n int, err error) {
	err = tx.scan(bucketCodes, nil, func(k, _ []byte) error {
		c, _, err := load[hub.Code](tx, bucketCodes, k)
		if c.User == user && c.Expires.After(tx.now()) {
			n++
		}
		return err
	})
	return n, err
}

// orCrowded returns err, or the error that says that there are too many.
func orCrowded(err error, text string, retry time.Duration) error {
	if err != nil {
		return err
	}
	return &hub.Error{Kind: hub.TooMany, Text: text, RetryAfter: retry}
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
