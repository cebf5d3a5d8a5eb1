package store

import (
	"bytes"
	"time"

	"jupyterhubd/hub"
)

// expiryRow lists a record under the moment at which it is of no use any more.
func expiryRow(at time.Time, bucket, key string) row {
	return row{indexExpiry, append(moment(at), (bucket + "\x00" + key)...), nil}
}

// pruneBatch is how many records one transaction removes, so that nobody waits long behind it.
const pruneBatch = 1000

// Prune removes what is expired: tokens, codes, sessions, throttles, codes for shares. Reads do not see these before either; this only gives
// their room back. more is true when it stopped after a batch.
func (tx *Tx) Prune() (more bool, err error) {
	due, more := tx.due(tx.now(), pruneBatch)
	for _, d := range due {
		bucket, key, _ := bytes.Cut(d, []byte{0})
		if err := tx.pruneOne(string(bucket), string(key)); err != nil {
			return false, err
		}
	}
	return more, nil
}

// due lists the first records that are expired at a moment, as bucket, zero byte, key.
func (tx *Tx) due(now time.Time, most int) (due [][]byte, more bool) {
	end := moment(now)
	c := tx.bucket(indexExpiry).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k[:8], end) <= 0; k, _ = c.Next() {
		if len(due) == most {
			return due, true
		}
		due = append(due, bytes.Clone(k[8:]))
	}
	return due, false
}

// pruneOne removes one expired record. It may be gone already: a session takes its tokens and codes with it.
func (tx *Tx) pruneOne(bucket, key string) error {
	if tx.bucket(bucket).Get([]byte(key)) == nil {
		return nil
	}
	switch bucket {
	case bucketTokens:
		return tx.DeleteToken(unnumber(key))
	case bucketSessions:
		return tx.DeleteSession(key)
	case bucketShareCodes:
		return tx.DeleteShareCode(unnumber(key))
	case bucketThrottles:
		return tx.DeleteThrottle(key)
	}
	code, _, err := load[hub.Code](tx, bucket, []byte(key))
	if err != nil {
		return err
	}
	return tx.erase(bucket, []byte(key), codeRows([]byte(key), code))
}
