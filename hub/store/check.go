package store

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"jupyterhubd/hub"
)

// Check verifies the whole file: bbolt's pages, that every index holds exactly the rows that the records call for, that the
// counts are right, and that nothing refers to what is not there. It reads everything, so it is for tests and for an admin
// who suspects a disk; it returns every fault, joined.
func (s *Store) Check() (err error) {
	defer func() { // bbolt panics at pages that make no sense
		if fault := recover(); fault != nil {
			err = damaged(s.path, fmt.Errorf("%v", fault))
		}
	}()
	return s.View(func(tx *Tx) error {
		var faults []error
		for fault := range tx.b.Check() {
			faults = append(faults, fault)
		}
		if len(faults) > 0 {
			return damaged(s.path, errors.Join(faults...))
		}
		c := checker{tx: tx, rows: make(map[string][]byte), names: make(map[string]bool)}
		c.collect()
		c.compare()
		return errors.Join(c.faults...)
	})
}

type checker struct {
	tx     *Tx
	rows   map[string][]byte // bucket, zero byte, key -> value: what the records call for
	names  map[string]bool   // "user alice", "group class", …: what exists
	refs   []reference
	faults []error
}

type reference struct{ from, to string }

func (c *checker) faultf(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// each reads all records of a bucket; keyed says which key a record belongs under.
func each[T any](c *checker, bucket string, keyed func(T) []byte, fn func(k string, v T)) (n int) {
	err := c.tx.scan(bucket, nil, func(k, _ []byte) error {
		v, _, err := load[T](c.tx, bucket, k)
		if err != nil {
			c.faultf("%w", err)
			return nil
		}
		if keyed != nil && !bytes.Equal(keyed(v), k) {
			c.faultf("%s: the record under %q says that it is %q", bucket, k, keyed(v))
		}
		n++
		fn(string(k), v)
		return nil
	})
	if err != nil {
		c.faultf("read %s: %w", bucket, err)
	}
	return n
}

func (c *checker) expect(rows []row) {
	for _, r := range rows {
		k := r.bucket + "\x00" + string(r.key)
		if _, twice := c.rows[k]; twice {
			c.faultf("%s: two records claim %q", r.bucket, r.key)
		}
		c.rows[k] = r.value
	}
}

func (c *checker) refer(from, what, name string) {
	if name != "" {
		c.refs = append(c.refs, reference{from, what + " " + name})
	}
}

func (c *checker) collect() {
	users := each(c, bucketUsers, func(u hub.User) []byte { return []byte(u.Name) }, func(k string, u hub.User) {
		c.names["user "+k], c.names["user of id "+strconv.FormatUint(u.ID, 10)] = true, true
		c.expect(userRows(u))
		for _, g := range u.Groups {
			c.refer("user "+k, "group", g)
		}
	})
	if users != c.tx.CountUsers() {
		c.faultf("there are %d users, but %d are counted", users, c.tx.CountUsers())
	}
	each(c, bucketGroups, func(g hub.Group) []byte { return []byte(g.Name) }, func(k string, g hub.Group) {
		c.names["group "+k] = true
		if len(g.Users) > 0 {
			c.faultf("group %s lists its members itself", k)
		}
	})
	each(c, bucketServices, func(s hub.Service) []byte { return []byte(s.Name) }, func(k string, _ hub.Service) { c.names["service "+k] = true })
	each(c, bucketServers, func(s hub.Server) []byte { return serverKey(s.ServerRef) }, func(_ string, s hub.Server) {
		c.names["server "+s.String()] = true
		c.refer("server "+s.String(), "user", s.User)
	})
	c.collectAuthStates()
	each(c, bucketUsage, usageKey, func(k string, u hub.Consumption) { c.refer("usage "+u.Day, "user", u.User) })
	c.collectSecrets()
	c.collectShares()
	throttles := make(map[string]int64)
	each(c, bucketThrottles, nil, func(k string, t Throttle) {
		throttles[classOf(k)]++
		c.expect(throttleRows(k, t))
	})
	for class, n := range throttles {
		if counted := unnumber(c.tx.get(bucketMeta, append(keyThrottles[:len(keyThrottles):len(keyThrottles)], class...))); uint64(n) != counted {
			c.faultf("there are %d throttles of class %s, but %d are counted", n, class, counted)
		}
	}
}

// collectAuthStates goes through what is sealed; whether it opens is a matter of keys.
func (c *checker) collectAuthStates() {
	err := c.tx.scan(bucketAuthStates, nil, func(k, _ []byte) error {
		c.refer("an auth state", "user of id", strconv.FormatUint(unnumber(string(k)), 10))
		return nil
	})
	if err != nil {
		c.faultf("read %s: %w", bucketAuthStates, err)
	}
}

// collectSecrets goes through what opens something: tokens, clients, codes, sessions.
func (c *checker) collectSecrets() {
	each(c, bucketTokens, func(t tokenRecord) []byte { return number(t.ID) }, func(_ string, t tokenRecord) {
		from := fmt.Sprintf("token %d", t.ID)
		c.expect(tokenRows(t))
		c.refer(from, string(t.Owner.Kind), t.Owner.Name)
		c.refer(from, "client", t.Client)
		c.refer(from, "session", t.Session)
		if t.ServerToken {
			c.refer(from, "server", t.Server.String())
		}
	})
	each(c, bucketClients, func(r clientRecord) []byte { return []byte(r.ID) }, func(k string, r clientRecord) {
		c.names["client "+k] = true
		c.expect(clientRows(r))
		c.refer("client "+k, "service", r.Service)
		if r.Service == "" {
			c.refer("client "+k, "server", r.Server.String())
		}
	})
	each(c, bucketCodes, nil, func(k string, code hub.Code) {
		c.expect(codeRows([]byte(k), code))
		c.refer("a code", "client", code.Client)
		c.refer("a code", "user", code.User)
		c.refer("a code", "session", code.Session)
	})
	each(c, bucketSessions, func(s sessionRecord) []byte { return []byte(s.ID) }, func(k string, s sessionRecord) {
		c.names["session "+k] = true
		c.expect(sessionRows(s))
		c.refer("session "+k, "user", s.User)
	})
}

// collectShares goes through what is shared, and the codes for it.
func (c *checker) collectShares() {
	each(c, bucketShares, func(s hub.Share) []byte { return number(s.ID) }, func(_ string, s hub.Share) {
		from := fmt.Sprintf("share %d", s.ID)
		c.expect(shareRows(s))
		c.refer(from, "server", s.Server.String())
		kind, name := shareWith(s)
		c.refer(from, kind, name)
	})
	each(c, bucketShareCodes, func(r shareCodeRecord) []byte { return number(r.ID) }, func(_ string, r shareCodeRecord) {
		c.expect(shareCodeRows(r))
		c.refer(fmt.Sprintf("share code %d", r.ID), "server", r.Server.String())
	})
}

// compare holds what the records call for against what the indexes hold.
func (c *checker) compare() {
	for _, r := range c.refs {
		if !c.names[r.to] {
			c.faultf("%s refers to %s, which is not there", r.from, r.to)
		}
	}
	for _, bucket := range indexBuckets {
		err := c.tx.scan(bucket, nil, func(k, v []byte) error {
			id := bucket + "\x00" + string(k)
			want, ok := c.rows[id]
			if !ok || !bytes.Equal(want, v) {
				c.faultf("%s: stray entry %q", bucket, k)
			}
			delete(c.rows, id)
			return nil
		})
		if err != nil {
			c.faultf("read %s: %w", bucket, err)
		}
	}
	for id := range c.rows {
		c.faultf("missing index entry %q", id)
	}
}
