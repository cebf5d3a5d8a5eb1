package daemon

import "testing"

// Memory is given back once after every time of work, when the work is over, and never for the little that rest itself takes.
func TestMemoryIsGivenBackAfterWork(t *testing.T) {
	var all uint64
	daemon := new(thrift)
	for i, bell := range []struct {
		allocated uint64 // since the last one
		given     bool
	}{
		{3 << 20, false}, // its start
		{10 << 10, true}, // at rest
		{10 << 10, false},
		{80 << 20, false}, // a storm
		{80 << 20, false},
		{10 << 10, true},
		{200 << 10, false}, // a little now and then
		{200 << 10, false},
		{200 << 10, false},
		{200 << 10, false},
		{200 << 10, false},
		{200 << 10, true},
		{200 << 10, false},
	} {
		all += bell.allocated
		given := daemon.due(all)
		if given {
			daemon.given = all
		}
		if given != bell.given {
			t.Errorf("bell %d: given back %v, want %v", i, given, bell.given)
		}
	}
}

func TestWhatWasAllocatedIsKnown(t *testing.T) {
	before := allocated()
	kept := make([]byte, 8<<20)
	if after := allocated(); after-before < uint64(len(kept)) {
		t.Errorf("%d bytes were allocated, but %d are counted", len(kept), after-before)
	}
}
