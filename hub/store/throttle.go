package store

import "time"

// Throttle is how often something failed lately, and until when it must wait. What the keys mean is hub/auth's.
type Throttle struct {
	Failures int       `json:"failures"`
	Until    time.Time `json:"until,omitzero"`
	Last     time.Time `json:"last"` // when it failed last
}

const (
	// maxThrottles bounds what strangers can make us remember: about two megabytes. Over it, whoever failed longest ago is
	// forgotten.
	maxThrottles = 10_000
	// throttleLife is how long after its last failure a record is of no interest.
	throttleLife = time.Hour
)

func throttleRows(name string, t Throttle) []row {
	return []row{
		{indexThrottleAge, append(moment(t.Last), name...), nil},
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
	} else if err := tx.makeRoom(); err != nil {
		return err
	}
	return save(tx, bucketThrottles, []byte(name), t, rows, throttleRows(name, t))
}

func (tx *Tx) makeRoom() error {
	n := unnumber(tx.get(bucketMeta, keyThrottles))
	if n >= maxThrottles {
		oldest, _ := tx.b.Bucket([]byte(indexThrottleAge)).Cursor().First()
		if len(oldest) > 8 {
			if err := tx.DeleteThrottle(string(oldest[8:])); err != nil {
				return err
			}
		}
		n = unnumber(tx.get(bucketMeta, keyThrottles))
	}
	return tx.b.Bucket([]byte(bucketMeta)).Put(keyThrottles, number(n+1))
}

// DeleteThrottle forgets a key; it need not be there.
func (tx *Tx) DeleteThrottle(name string) error {
	t, ok := tx.Throttle(name)
	if !ok {
		return nil
	}
	n := unnumber(tx.get(bucketMeta, keyThrottles))
	if err := tx.b.Bucket([]byte(bucketMeta)).Put(keyThrottles, number(n-1)); err != nil {
		return err
	}
	return tx.erase(bucketThrottles, []byte(name), throttleRows(name, t))
}
