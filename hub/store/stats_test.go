package store

import (
	"errors"
	"testing"
)

// Only what is on disk is a write; notes are counted as they come.
func TestStats(t *testing.T) {
	s, c := cellar(t)
	before := s.Stats()
	cast(t, s, "alice")
	if err := s.Update(func(*Tx) error { return errors.New("nothing") }); err == nil {
		t.Fatal("a failed update went well")
	}
	for range 3 {
		s.TouchUser("alice", c.now())
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	after := s.Stats()
	if after.Writes-before.Writes != 2 || after.Notes-before.Notes != 3 || after.Bytes == 0 || after.Writing <= before.Writing {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
