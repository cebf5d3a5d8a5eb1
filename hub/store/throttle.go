package store

import (
	"strings"
	"time"
)

// Throttle is how often something failed lately, and until when it must wait. What the keys mean is hub/auth's.
type Throttle struct {
	Failures int       `json:"failures"`
	Until    time.Time `json:"until,omitzero"`
	Last     time.Time `json:"last"` // when it failed last
}

const (
	// maxThrottles bounds what strangers can make us remember, for each class of keys (what stands before the first colon):
	// a few megabytes. Over it, the oldest of the class is forgotten.
	maxThrottles = 10_000
	// throttleLife is how long after its last failure a record is of no interest.
	throttleLife = time.Hour
)

func throttleRows(name string, t Throttle) []row {
	return []row{
		{indexThrottleAge, key(classOf(name), string(moment(t.Last))+name), nil},
		expiryRow(later(t.Last.Add(throttleLife), t.Until), bucketThrottles, name),
	}
}

// Throttle returns what is remembered under a key.
func (tx *Tx) Throttle(name string) (Throttle, bool) {
	t, ok, err := load[Throttle](tx, bucketThrottles, []byte(name))
	return t, ok && err == nil
}

// PutThrottle remembers t under a key, and forgets the oldest when there are too many.
func (tx *Tx) PutThrottle(name string, t Throttle) error {
	old, exists := tx.Throttle(name)
	var rows []row
	if exists {
		rows = throttleRows(name, old)
	} else if err := tx.makeRoom(classOf(name)); err != nil {
		return err
	}
	return save(tx, bucketThrottles, []byte(name), t, rows, throttleRows(name, t))
}

func classOf(name string) string {
	class, _, _ := strings.Cut(name, ":")
	return class
}

// countThrottles changes how many there are of a class and returns how many there were.
func (tx *Tx) countThrottles(class string, by int64) (had int64, err error) {
	name := append(keyThrottles[:len(keyThrottles):len(keyThrottles)], class...)
	had = int64(unnumber(tx.get(bucketMeta, name)))
	return had, tx.bucket(bucketMeta).Put(name, number(uint64(had+by)))
}

func (tx *Tx) makeRoom(class string) error {
	had, err := tx.countThrottles(class, +1)
	if err != nil || had < maxThrottles {
		return err
	}
	prefix := key(class, "")
	oldest, _ := tx.bucket(indexThrottleAge).Cursor().Seek(prefix)
	return tx.DeleteThrottle(string(oldest[len(prefix)+8:]))
}

// DeleteThrottle forgets a key; it need not be there.
func (tx *Tx) DeleteThrottle(name string) error {
	t, ok := tx.Throttle(name)
	if !ok {
		return nil
	}
	if _, err := tx.countThrottles(classOf(name), -1); err != nil {
		return err
	}
	return tx.erase(bucketThrottles, []byte(name), throttleRows(name, t))
}
