package store

import (
	"bytes"
	"encoding/binary"
	"time"

	"jupyterhubd/hub"
)

// expiryRow lists a record under the moment at which it is of no use any more.
func expiryRow(at time.Time, bucket, key string) row {
	return row{indexExpiry, append(moment(at), (bucket + "\x00" + key)...), nil}
}

// pruneBatch is how many records one transaction removes, so that nobody waits long behind it.
const pruneBatch = 1000

// pruneSoonest keeps tokens that expire one after another from being a transaction each.
const pruneSoonest = 200 * time.Millisecond

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

// expires notes when a token will be of no use. Somebody has to be told of it then: it may be at work somewhere.
func (tx *Tx) expires(at time.Time) {
	tx.hastens = tx.hastens || !at.IsZero() && at.Before(tx.now().Add(pruneEvery))
}

// hasten has Run look once more when it is to prune, if a transaction gave it a reason to.
func (s *Store) hasten(tx *Tx) {
	if !tx.hastens {
		return
	}
	select {
	case s.sooner <- struct{}{}:
	default:
	}
}

// untilPrune is how long there is nothing to remove that could not wait: until a token expires, and some minutes at most.
func (s *Store) untilPrune() time.Duration {
	wait := pruneEvery
	err := s.View(func(tx *Tx) error {
		if at := tx.nextToken(tx.now().Add(pruneEvery)); !at.IsZero() {
			wait = max(at.Sub(tx.now()), pruneSoonest)
		}
		return nil
	})
	if err != nil {
		return pruneEvery // whoever writes next will hear of it
	}
	return wait
}

// nextToken returns when the next token expires, if that is before a moment, and zero otherwise.
func (tx *Tx) nextToken(before time.Time) time.Time {
	end := moment(before)
	c := tx.bucket(indexExpiry).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k[:8], end) < 0; k, _ = c.Next() {
		if bucket, _, _ := bytes.Cut(k[8:], []byte{0}); string(bucket) == bucketTokens {
			return time.Unix(0, int64(binary.BigEndian.Uint64(k[:8])))
		}
	}
	return time.Time{}
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
