package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"jupyterhubd/hub"
)

// The buckets. Those in the first block hold records, JSON of the noun; the rest are indexes, which the …Rows functions
// name. Compound keys are joined by a zero byte, numbers and times are big-endian, so that order is order.
const (
	bucketMeta       = "meta"       // schema, release, user count
	bucketUsers      = "users"      // name
	bucketGroups     = "groups"     // name
	bucketServers    = "servers"    // user, server
	bucketTokens     = "tokens"     // id
	bucketServices   = "services"   // name
	bucketClients    = "clients"    // id
	bucketCodes      = "codes"      // hash of the value
	bucketSessions   = "sessions"   // id
	bucketSecrets    = "secrets"    // name; 32 random bytes, not JSON
	bucketThrottles  = "throttles"  // key
	bucketShares     = "shares"     // id
	bucketShareCodes = "sharecodes" // id
	bucketUsage      = "usage"      // user, day
	bucketAuthStates = "authstates" // id of the user; sealed, not JSON

	indexUserID          = "users.id"          // id -> name
	indexUserUID         = "users.uid"         // uid -> name
	indexUserActivity    = "users.activity"    // last activity, id -> name
	indexMembers         = "groups.users"      // group, user
	indexTokenHash       = "tokens.hash"       // hash of the value -> id
	indexTokenOwner      = "tokens.owner"      // kind, name, id
	indexTokenClient     = "tokens.client"     // client, id
	indexTokenSession    = "tokens.session"    // session, id
	indexTokenServer     = "tokens.server"     // user, server -> id of the server's own token
	indexClientOwner     = "clients.owner"     // user, server -> id; or service -> id
	indexCookie          = "sessions.cookie"   // hash of the cookie -> id
	indexSessionUser     = "sessions.user"     // user, id
	indexExpiry          = "expiry"            // moment, bucket, key
	indexShareServer     = "shares.server"     // user, server, kind, name of whom it is shared with -> id
	indexShareWith       = "shares.with"       // kind, name, id
	indexShareCodeHash   = "sharecodes.hash"   // hash of the value -> id
	indexShareCodeServer = "sharecodes.server" // user, server, id
	indexThrottleAge     = "throttles.age"     // class, moment of the last failure, key
)

var recordBuckets = []string{bucketMeta, bucketUsers, bucketGroups, bucketServers, bucketTokens, bucketServices, bucketClients,
	bucketCodes, bucketSessions, bucketSecrets, bucketThrottles, bucketShares, bucketShareCodes, bucketUsage, bucketAuthStates}

var indexBuckets = []string{indexUserID, indexUserUID, indexUserActivity, indexMembers, indexTokenHash, indexTokenOwner,
	indexTokenClient, indexTokenSession, indexTokenServer, indexClientOwner, indexCookie, indexSessionUser, indexExpiry, indexThrottleAge,
	indexShareServer, indexShareWith, indexShareCodeHash, indexShareCodeServer}

var (
	keySchema  = []byte("schema")
	keyRelease = []byte("release")
	keyUsers   = []byte("users") // how many there are

	keyThrottles = []byte("throttles ") // and a class: how many there are
)

// migration brings a file from one schema to the next.
type migration func(*bbolt.Tx) error

// migrations[i] leads from schema i+1 to i+2. A released step is never changed.
var migrations = []migration{
	func(*bbolt.Tx) error { return nil }, // shares, their codes, and usage: buckets, which create makes, and nothing in them
	func(*bbolt.Tx) error { return nil }, // what authenticators keep: a bucket
}

// migrate brings the file to the schema that the steps lead to. A file of an older schema is copied beside itself first.
func (s *Store) migrate(steps []migration) error {
	latest := uint64(len(steps) + 1)
	have, release, err := s.schema()
	switch {
	case err != nil:
		return err
	case have == 0:
		return s.wrap(s.db.Update(func(tx *bbolt.Tx) error { return create(tx, latest) }))
	case have > latest:
		return hub.Errorf(hub.Unavailable, "%s was written by jupyterhubd %s with schema %d, but this is jupyterhubd %s, which knows schemas up to %d: "+
			"install the newer release again, or put the backup that it made before its migration in place of the file", s.path, release, have, hub.Version, latest)
	case have == latest:
		return nil
	}
	if err := s.snapshot(fmt.Sprintf("%s.schema-%d", s.path, have)); err != nil {
		return fmt.Errorf("copy %s before its migration: %w", s.path, s.wrap(err))
	}
	return s.wrap(s.db.Update(func(tx *bbolt.Tx) error {
		for i, step := range steps[have-1:] {
			if err := step(tx); err != nil {
				return fmt.Errorf("migrate %s from schema %d to %d: %w", s.path, have+uint64(i), have+uint64(i)+1, err)
			}
		}
		return create(tx, latest)
	}))
}

// schema returns the file's schema and the release that wrote it; zero for a file that was just made.
func (s *Store) schema() (version uint64, release string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return hub.Errorf(hub.Unavailable, "%s is a bbolt file, but not one of jupyterhubd's", s.path)
			}
			return nil
		}
		raw := meta.Get(keySchema)
		if len(raw) != 8 {
			return damaged(s.path, errors.New("no schema version"))
		}
		version, release = binary.BigEndian.Uint64(raw), string(meta.Get(keyRelease))
		return nil
	})
	return version, release, err
}

// create makes the buckets that are missing and writes down who did.
func create(tx *bbolt.Tx, version uint64) error {
	for _, name := range append(recordBuckets[:len(recordBuckets):len(recordBuckets)], indexBuckets...) {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	meta := tx.Bucket([]byte(bucketMeta))
	return errors.Join(meta.Put(keySchema, number(version)), meta.Put(keyRelease, []byte(hub.Version)))
}

// snapshot writes a copy of the file to path. An older snapshot of the same schema is kept: it is the better one, made
// before a migration that did not end.
func (s *Store) snapshot(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	tmp, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone already when all went well
	_, err = s.Backup(tmp)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
