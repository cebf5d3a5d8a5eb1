package store

import (
	"os"
	"time"
)

// Stats are what a store has done since it was opened.
type Stats struct {
	Bytes   int64         // of the file; 0 where it cannot be looked at
	Writes  uint64        // transactions that are on disk
	Writing time.Duration // what the disk took for them
	Notes   uint64        // activity that was noted: many notes become one write
}

// Stats tells what the store has done. It waits for nothing.
func (s *Store) Stats() Stats {
	done := s.db.Stats().TxStats
	out := Stats{Writes: s.writes.Load(), Notes: s.notes.Load(), Writing: done.GetWriteTime()}
	if info, err := os.Stat(s.path); err == nil {
		out.Bytes = info.Size()
	}
	return out
}
