package store

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"jupyterhubd/hub"
	"jupyterhubd/hub/crypt"
)

// lived names the directory in which this test program, run once more, lives a whole life of a store.
const lived = "STORE_TEST_LIVED"

const (
	theFile  = "jupyterhub.db"
	migrated = "schema-%d.db" // from that schema
	longAgo  = "2026-11-24"
)

// life is a store from its first start to its last change, and what later changes have to know of earlier ones.
type life struct {
	dir   string
	keys  crypt.Keys
	clock *clock
	*Store

	token   hub.Token
	session hub.Session
	code    string
	share   hub.ShareCode
	value   string // of the share's code
}

// change is a step of a life: one that is acknowledged whole.
type change struct {
	name string
	make func(l *life, tx *Tx) error
}

var lab = hub.ServerRef{User: "alice", Server: "lab"}

// changes are made in this order, each in a transaction of its own.
var changes = []change{
	{"make users", func(_ *life, tx *Tx) error {
		for i, name := range []string{"alice", "bob", "mallory"} {
			if _, err := tx.PutUser(hub.User{Name: name, UID: int64(1001 + i)}); err != nil {
				return err
			}
		}
		return nil
	}},
	{"make a group", func(_ *life, tx *Tx) error {
		_, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"alice", "bob"}})
		return err
	}},
	{"seal what an authenticator keeps", func(_ *life, tx *Tx) error { return tx.PutAuthState("alice", json.RawMessage(`{"ticket":"x"}`)) }},
	{"give a token", func(l *life, tx *Tx) (err error) {
		_, l.token, err = tx.NewToken(hub.Token{Owner: owner("alice"), Expires: l.clock.now().Add(time.Minute)})
		return err
	}},
	{"log in", func(l *life, tx *Tx) (err error) {
		_, l.session, err = tx.NewSession(hub.Session{User: "alice", Expires: l.clock.now().Add(time.Hour)})
		return err
	}},
	{"make a secret", func(_ *life, tx *Tx) error { _, err := tx.Secret("xsrf"); return err }},
	{"wish for a server", func(_ *life, tx *Tx) error { return tx.PutServer(hub.Server{ServerRef: lab}) }},
	{"make its client", func(_ *life, tx *Tx) error {
		return tx.PutClient(hub.Client{ID: "client-of-alice", Server: lab}, "a secret")
	}},
	{"give the server its token", func(_ *life, tx *Tx) error {
		_, _, err := tx.NewServerToken(lab, hub.Token{Owner: owner("alice")})
		return err
	}},
	{"give a code", func(l *life, tx *Tx) (err error) {
		l.code, err = tx.NewCode(hub.Code{Client: "client-of-alice", User: "alice", Session: l.session.ID, Expires: l.clock.now().Add(time.Minute)})
		return err
	}},
	{"take the code", func(l *life, tx *Tx) error { _, err := tx.TakeCode(l.code); return err }},
	{"share with bob", func(_ *life, tx *Tx) error {
		_, err := tx.PutShare(hub.Share{Server: lab, User: "bob", Scopes: []string{"access:servers"}})
		return err
	}},
	{"offer a share", func(l *life, tx *Tx) (err error) {
		l.value, l.share, err = tx.NewShareCode(hub.ShareCode{Server: lab, Scopes: []string{"access:servers"}, Expires: l.clock.now().Add(time.Minute)})
		return err
	}},
	{"accept it", func(l *life, tx *Tx) error { _, err := tx.ExchangeShareCode(l.value, "mallory"); return err }},
	{"take it back", func(l *life, tx *Tx) error { return tx.DeleteShareCode(l.share.ID) }},
	{"note a failed login", func(l *life, tx *Tx) error {
		return tx.PutThrottle("user mallory", Throttle{Failures: 3, Last: l.clock.now()})
	}},
	{"account for a day", func(_ *life, tx *Tx) error {
		return tx.AddUsage(hub.Consumption{User: "alice", Day: longAgo, CPUSeconds: 7})
	}},
	{"register a service", func(_ *life, tx *Tx) error { return tx.PutService(hub.Service{Name: "grader"}) }},
	{"rename alice", func(_ *life, tx *Tx) error { return tx.RenameUser("alice", "carol") }},
	{"fill more than a page", func(_ *life, tx *Tx) error {
		for i := range 100 {
			if _, err := tx.PutUser(hub.User{Name: fmt.Sprintf("student-%03d", i), UID: hub.NoUID}); err != nil {
				return err
			}
		}
		return nil
	}},
	{"empty it again", func(_ *life, tx *Tx) error {
		for i := range 90 {
			if err := tx.DeleteUser(fmt.Sprintf("student-%03d", i)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"log out", func(l *life, tx *Tx) error { return tx.DeleteSession(l.session.ID) }},
	{"forget the server", func(_ *life, tx *Tx) error { return tx.DeleteServer(hub.ServerRef{User: "carol", Server: lab.Server}) }},
	{"delete the group", func(_ *life, tx *Tx) error { return tx.DeleteGroup("class") }},
	{"delete carol", func(_ *life, tx *Tx) error { return tx.DeleteUser("carol") }},
}

// playLife lives a life in dir: what it says before and after each step is all that its survivors know.
func playLife(dir string) error {
	k, err := crypt.Parse(oneKey)
	if err != nil {
		return err
	}
	l := &life{dir: dir, keys: k, clock: noon()}
	for schema := range uint64(len(migrations)) {
		if err := l.migrateFrom(schema + 1); err != nil {
			return err
		}
	}
	if err := l.step(theFile, "first start", func() error { return l.open(theFile) }); err != nil {
		return err
	}
	defer l.Close()
	for i, c := range changes {
		if err := l.step(theFile, c.name, func() error { return l.Update(func(tx *Tx) error { return c.make(l, tx) }) }); err != nil {
			return err
		}
		l.clock.advance(time.Second)
		l.TouchUser("bob", l.clock.now())
		l.Touch(hub.ServerRef{User: "bob"}, l.clock.now())
		if i%8 == 0 {
			if err := l.step(theFile, "flush activity", l.flush); err != nil {
				return err
			}
		}
	}
	l.clock.advance(24 * time.Hour)
	return errors.Join(l.step(theFile, "prune", l.prune), l.step(theFile, "back up", l.backUp))
}

// step says what begins, does it, and says that it is done and what the file holds then.
func (l *life) step(file, name string, do func() error) error {
	fmt.Printf("begun\t%s\t%s\n", file, name)
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("done\t%s\t%s\n", file, sumOf(l.db))
	return nil
}

func (l *life) open(file string) (err error) {
	l.Store, err = Open(filepath.Join(l.dir, file), Options{Now: l.clock.now, Keys: l.keys})
	return err
}

// sinceSchema names the buckets that came with a schema.
var sinceSchema = map[uint64][]string{
	2: {bucketShares, bucketShareCodes, bucketUsage, indexShareServer, indexShareWith, indexShareCodeHash, indexShareCodeServer},
	3: {bucketAuthStates},
}

// migrateFrom makes a file as an older release did, somewhere else, puts it into its place, and opens it.
func (l *life) migrateFrom(schema uint64) error {
	file := fmt.Sprintf(migrated, schema)
	old := filepath.Join(l.dir, "..", filepath.Base(l.dir)+"-"+file)
	s, err := open(old, Options{Now: l.clock.now}, migrations[:schema-1])
	if err != nil {
		return err
	}
	err = s.Update(func(tx *Tx) error { return changes[0].make(l, tx) })
	err = errors.Join(err, s.db.Update(func(tx *bbolt.Tx) error {
		for since, buckets := range sinceSchema {
			for _, name := range buckets {
				if since > schema {
					if err := tx.DeleteBucket([]byte(name)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}), l.put(s, file), s.Close(), os.Remove(old))
	if err != nil {
		return err
	}
	if err := l.step(file, fmt.Sprintf("first start with a file of schema %d", schema), func() error { return l.open(file) }); err != nil {
		return err
	}
	return l.Close()
}

func (l *life) backUp() error { return l.put(l.Store, "backup.db") }

// put makes a copy of a store.
func (l *life) put(s *Store, file string) error {
	f, err := os.Create(filepath.Join(l.dir, file))
	if err != nil {
		return err
	}
	_, err = s.Backup(f)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(l.dir))
}

// sumOf is a sum over all that a file holds, whatever its pages look like.
func sumOf(db *bbolt.DB) string {
	sum := sha256.New()
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				_, err := fmt.Fprintf(sum, "%q %q %q\n", name, k, v)
				return err
			})
		})
	})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// said takes a line of a life apart.
func said(d deed) (word, file, what string) {
	fields := append(strings.Split(strings.TrimSpace(string(d.Data)), "\t"), "", "")
	return fields[0], fields[1], fields[2]
}

// saidNext is what the file holds when the step that was begun last is done.
func saidNext(later []tracked) string {
	i := slices.IndexFunc(later, func(d tracked) bool {
		word, _, _ := said(d.deed)
		return d.Did == "said" && word == "done"
	})
	if i < 0 {
		return ""
	}
	_, _, sum := said(later[i].deed)
	return sum
}
