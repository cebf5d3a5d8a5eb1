package store

import (
	"time"

	"jupyterhubd/hub"
)

// usageDays is for how many days it is kept what a user used.
const usageDays = 400

func usageKey(c hub.Consumption) []byte { return key(c.User, c.Day) }

// AddUsage adds to what a user has used on a day. A user who is gone uses nothing.
func (tx *Tx) AddUsage(c hub.Consumption) error {
	day, err := time.Parse(hub.DayFormat, c.Day)
	if err != nil {
		return hub.Errorf(hub.Invalid, "%q is not a day", c.Day)
	}
	if _, known, err := tx.storedUser(c.User); err != nil || !known {
		return err
	}
	sofar, again, err := load[hub.Consumption](tx, bucketUsage, usageKey(c))
	if err != nil {
		return err
	}
	if !again {
		if err := tx.forgetUsage(c.User, day.AddDate(0, 0, -usageDays).Format(hub.DayFormat)); err != nil {
			return err
		}
	}
	return save(tx, bucketUsage, usageKey(c), c.Plus(sofar), nil, nil)
}

// forgetUsage removes what a user used before a day.
func (tx *Tx) forgetUsage(user, before string) error {
	for _, day := range tx.keys(bucketUsage, key(user, "")) {
		if day >= before {
			return nil
		}
		if err := tx.erase(bucketUsage, key(user, day), nil); err != nil {
			return err
		}
	}
	return nil
}

// Usage returns what a user has used, a record a day, from the first day to the last, both included; "" is no bound.
func (tx *Tx) Usage(user, first, last string) ([]hub.Consumption, error) {
	return tx.usage(key(user, ""), first, last)
}

// UsageOfAll returns the same of all users, in the order of their names.
func (tx *Tx) UsageOfAll(first, last string) ([]hub.Consumption, error) {
	return tx.usage(nil, first, last)
}

func (tx *Tx) usage(prefix []byte, first, last string) ([]hub.Consumption, error) {
	var found []hub.Consumption
	err := tx.scan(bucketUsage, prefix, func(k, _ []byte) error {
		c, _, err := load[hub.Consumption](tx, bucketUsage, k)
		if err == nil && c.Day >= first && (last == "" || c.Day <= last) {
			found = append(found, c)
		}
		return err
	})
	return found, err
}

// renameUsage gives what a user has used to the name that they have now.
func (tx *Tx) renameUsage(old, name string) error {
	for _, day := range tx.keys(bucketUsage, key(old, "")) {
		c, _, err := load[hub.Consumption](tx, bucketUsage, key(old, day))
		if err != nil {
			return err
		}
		if err := tx.erase(bucketUsage, key(old, day), nil); err != nil {
			return err
		}
		c.User = name
		if err := save(tx, bucketUsage, usageKey(c), c, nil, nil); err != nil {
			return err
		}
	}
	return nil
}
