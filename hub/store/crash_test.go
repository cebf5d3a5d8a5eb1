package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"jupyterhubd/hub/crypt"
)

// What a process that is killed, or a machine that loses its power, leaves of a life of a store, at every moment of it. One life is
// recorded, write by write and sync by sync; every moment is then laid out as files again, and opened as the next hub would open it.

const pageSize = 4096 // bbolt's, and what a kill can divide a write into

// sector is what a disk writes whole.
const sector = 512

// disk is files as a list of deeds leaves them.
type disk struct {
	names map[string]int // of files
	files map[int]image
}

func newDisk() *disk { return &disk{names: map[string]int{}, files: map[int]image{}} }

// image is a file's content, by the pages that were ever written.
type image struct {
	pages  map[int64][]byte
	length int64
}

// tracked is a deed with the number of the file that had that name when it was done.
type tracked struct {
	deed
	number int
}

// track numbers the files, and leaves out that one was made which was there.
func track(all []deed) (out []tracked) {
	names := map[string]int{".": 0}
	for _, d := range all {
		number, there := names[d.File]
		switch {
		case d.Did == "make" && there:
			continue
		case d.Did == "make":
			number = len(out) + 1
			names[d.File] = number
		case d.Did == "link" || d.Did == "name":
			names[d.To] = number
		}
		if d.Did == "name" || d.Did == "gone" {
			delete(names, d.File)
		}
		out = append(out, tracked{d, number})
	}
	return out
}

// do does one deed again.
func (d *disk) do(what tracked) {
	f := d.files[what.number]
	switch what.Did {
	case "make":
		d.names[what.File] = what.number
	case "link", "name":
		d.names[what.To] = what.number
	case "length":
		f.length = what.At
		maps.DeleteFunc(f.pages, func(number int64, _ []byte) bool { return number*pageSize >= what.At })
		d.files[what.number] = f
	case "write":
		f.write(what.At, what.Data)
		d.files[what.number] = f
	}
	if what.Did == "name" || what.Did == "gone" {
		delete(d.names, what.File)
	}
}

// inDirectory reports whether it is the directory that a deed changes, and not a file.
func (t tracked) inDirectory() bool { return t.Did != "write" && t.Did != "length" }

// write writes data, which may lie across two pages.
func (f *image) write(at int64, data []byte) {
	if f.pages == nil {
		f.pages = map[int64][]byte{}
	}
	for len(data) > 0 {
		number, within := at/pageSize, at%pageSize
		page := make([]byte, pageSize) // never changed in place: copies of the image share pages
		copy(page, f.pages[number])
		n := copy(page[within:], data)
		f.pages[number] = page
		at, data = at+int64(n), data[n:]
	}
	f.length = max(f.length, at)
}

// with is the disk after some more deeds.
func (d *disk) with(more []tracked) *disk {
	c := &disk{names: maps.Clone(d.names), files: maps.Clone(d.files)}
	for number, f := range c.files {
		c.files[number] = image{maps.Clone(f.pages), f.length}
	}
	for _, what := range more {
		c.do(what)
	}
	return c
}

// sync does what a sync makes last, and returns the rest.
func (d *disk) sync(sync tracked, since []tracked) (rest []tracked) {
	for _, what := range since {
		if what.inDirectory() == (sync.File == ".") && (what.inDirectory() || what.number == sync.number) {
			d.do(what)
		} else {
			rest = append(rest, what)
		}
	}
	return rest
}

// outcomes is which deeds may be on the disk when the power fails: all orders of writing them lead to one of these, or to one like
// them. Of many there are only some.
func outcomes(since []tracked, most int) (all [][]tracked) {
	all = append(all, nil, since)
	for i, one := range since {
		all = append(all, since[:i], []tracked{one}, slices.Concat(since[:i], since[i+1:]))
		if len(one.Data) > sector {
			torn := one
			torn.Data = one.Data[:sector*(1+i%(len(one.Data)/sector))]
			all = append(all, slices.Concat(since[:i], []tracked{torn}, since[i+1:]), []tracked{torn})
		}
	}
	dice := rand.New(rand.NewPCG(uint64(len(since)), 0))
	for range len(since) {
		all = append(all, slices.DeleteFunc(slices.Clone(since), func(tracked) bool { return dice.IntN(2) == 0 }))
	}
	some := all[2:]
	dice.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return all[:min(len(all), most)]
}

// lay makes the files in a directory.
func (d *disk) lay(dir string) error {
	for name, at := range d.names {
		f := d.files[at]
		if err := f.lay(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func (f *image) lay(path string) error {
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	for number, page := range f.pages {
		if at := number * pageSize; at < f.length {
			if _, err := out.WriteAt(page[:min(pageSize, f.length-at)], at); err != nil {
				return errors.Join(err, out.Close())
			}
		}
	}
	return errors.Join(out.Truncate(f.length), out.Close())
}

// aftermath opens what is left of a life and judges it.
type aftermath struct {
	dir  string
	keys crypt.Keys
	file string // of the step at hand
	step string
	done string // what the file held when the last step was done; "" before the first
	next string // the same of the step at hand; "" between steps
}

// hear takes in what was said, with all that was said and done later.
func (a *aftermath) hear(d tracked, later []tracked) {
	word, file, what := said(d.deed)
	if file != a.file {
		a.file, a.done = file, ""
	}
	if a.next = ""; word == "begun" {
		a.step, a.next = what, saidNext(later)
	} else {
		a.done = what
	}
}

// judge says what is wrong with what is left: the next hub has to find a sound file, with exactly what was acknowledged, or with that
// and the whole of what was not yet. A first start and a migration are begun anew, and so are always done.
func (a *aftermath) judge(left *disk) error {
	if a.file == "" {
		return nil
	}
	if err := errors.Join(os.RemoveAll(a.dir), os.Mkdir(a.dir, 0o700), left.lay(a.dir)); err != nil {
		return err
	}
	s, err := Open(filepath.Join(a.dir, a.file), Options{Now: noon().now, Keys: a.keys})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		return err
	}
	if holds := sumOf(s.db); holds != a.next && (a.done == "" || holds != a.done) {
		return errors.New("it holds neither what was acknowledged nor what was to come")
	}
	return a.judgeCopy()
}

// judgeCopy looks at what a migration leaves beside the file: the file as it was.
func (a *aftermath) judgeCopy() error {
	var schema uint64
	if _, err := fmt.Sscanf(a.file, migrated, &schema); err != nil {
		return nil // none
	}
	db, err := bbolt.Open(fmt.Sprintf("%s.schema-%d", filepath.Join(a.dir, a.file), schema), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("the copy from before the migration: %w", err)
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if had := tx.Bucket([]byte(bucketMeta)).Get(keySchema); !bytes.Equal(had, number(schema)) {
			return fmt.Errorf("the copy from before the migration has schema %x", had)
		}
		return nil
	})
}

// aLife records one and says what every moment of it is held against.
func aLife(t *testing.T) ([]tracked, *aftermath) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "life")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	all := track(recording(t, dir))
	same(t, newDisk().with(all), dir)
	return all, &aftermath{dir: filepath.Join(inMemory(t), "left"), keys: keys(t, oneKey)}
}

// inMemory is a directory that needs no disk, where there is one: a thousand files are made and opened there.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "store-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// same holds the recording against the files: no way of writing has escaped it.
func same(t *testing.T, whole *disk, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(whole.names) || len(entries) == 0 {
		t.Fatalf("there are %v, but recorded are %v", entries, slices.Sorted(maps.Keys(whole.names)))
	}
	for name, at := range whole.names {
		again := filepath.Join(t.TempDir(), name)
		f := whole.files[at]
		if err := f.lay(again); err != nil {
			t.Fatal(err)
		}
		a, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(again); err != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s is not what was recorded: %v", name, err)
		}
	}
}

// A process is killed before each page that it writes, each sync, and each file that it makes, names or removes. The kernel keeps what
// was written.
func TestKillBetweenAnyTwoWrites(t *testing.T) {
	all, a := aLife(t)
	left := newDisk()
	moments := 0
	for i, d := range all {
		switch d.Did {
		case "said":
			a.hear(d, all[i:])
		case "sync":
			continue
		default:
			left.do(d)
		}
		moments++
		if err := a.judge(left); err != nil {
			t.Errorf("killed in %q (%s), after deed %d, %s %s: %v", a.step, a.file, i, d.Did, d.File, err)
		}
	}
	if t.Logf("%d moments", moments); moments < 200 {
		t.Error("that is no whole life")
	}
}

// The power fails at any moment. Of what was written since a file's last sync, and named since its directory's, some is on the disk
// and some is not, in any order, and one page is torn.
func TestPowerFailsBetweenAnyTwoSyncs(t *testing.T) {
	all, a := aLife(t)
	most := 60
	if os.Getenv("RELEASE") != "" {
		most = 2000
	}
	kept := newDisk()
	var since []tracked // not synced
	states := 0
	for i, d := range all {
		switch d.Did {
		case "said":
			a.hear(d, all[i:])
		case "sync":
			for _, lucky := range outcomes(since, most) {
				states++
				if err := a.judge(kept.with(lucky)); err != nil {
					t.Errorf("power failed in %q (%s), before deed %d, sync of %s, with %d of %d deeds on the disk: %v", a.step, a.file, i, d.File, len(lucky), len(since), err)
				}
			}
			since = kept.sync(d, since)
		default:
			since = append(since, d)
		}
	}
	if t.Logf("%d states", states); states < 200 {
		t.Error("that is no whole life")
	}
}
