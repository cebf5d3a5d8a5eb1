package daemon

import (
	"runtime/debug"
	"runtime/metrics"
)

// Of what a thrift lets lie.
const (
	still = 256 << 10 // bytes that a daemon at rest allocates at most between two bells, its own signs of life among them
	worth = 1 << 20   // bytes of garbage that a collection is worth
)

// thrift gives back what a daemon used while it was busy, once it is at rest. Go by itself collects within two minutes and keeps
// what it collects, up to its least heap of 4 MiB, which is more than our daemons have in use.
type thrift struct {
	seen, given uint64 // bytes that were ever allocated: by the last bell, and by the last time that something was given back
}

// look is called by every bell.
func (t *thrift) look() {
	if t.due(allocated()) {
		debug.FreeOSMemory()
		t.seen = allocated()
		t.given = t.seen
	}
}

// due reports whether it is time: the daemon rests since the last bell, and was busy before.
func (t *thrift) due(now uint64) bool {
	rests, busy := now-t.seen < still, now-t.given >= worth
	t.seen = now
	return rests && busy
}

func allocated() uint64 {
	all := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(all)
	return all[0].Value.Uint64()
}
