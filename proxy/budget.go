package proxy

import (
	"net/netip"
	"sync"
)

// budget is the memory that clients may hold by being slow: heads and bodies that come or go in pieces. Who needs some is given it. When
// that is more than there is, those lose theirs, connection and all, with whom nothing has moved for the longest time: who is quick is
// never refused for those who are not.
type budget struct {
	most    func() int64 // bytes, of all clients; 0: no bound
	dropped func()       // counts those who lose theirs

	mu     sync.Mutex // guards the fields below and what they lead to
	held   int64
	all    queue
	shares map[netip.Addr]*share
}

// shareOfBudget is which part of it one address may have. This machine itself and trusted proxies, which bring many people, have no share
// of their own.
const shareOfBudget = 4

// share is what one address has.
type share struct {
	held int64
	all  queue
}

// holding is a part of a budget, from hold to end.
type holding struct {
	of   *budget // nil: nobody has it
	drop func()  // must not wait

	// The fields below are guarded by the budget's mu.
	bytes int64
	lost  bool
	who   netip.Addr
	share *share   // nil: of no address
	links [2]links // in the queues of the budget and of the share
}

// hold gives h so many bytes for a client at an address, of which the zero one has no share. drop is called, once at most, when they are
// lost: now, or later.
func (b *budget) hold(h *holding, who netip.Addr, bytes int64, drop func()) {
	b.mu.Lock()
	*h = holding{of: b, drop: drop, who: who}
	b.all.push(h, ofAll)
	if who.IsValid() {
		h.share = b.shareOf(who)
		h.share.all.push(h, ofShare)
	}
	losers := b.resize(h, bytes)
	b.mu.Unlock()
	b.dismiss(losers)
}

// grow makes it so many bytes.
func (h *holding) grow(bytes int64) {
	h.of.mu.Lock()
	var losers []func()
	if !h.lost {
		losers = h.of.resize(h, bytes)
	}
	h.of.mu.Unlock()
	h.of.dismiss(losers)
}

// moved says that the client was not slow just now.
func (h *holding) moved() {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if h.lost {
		return
	}
	h.of.all.remove(h, ofAll)
	h.of.all.push(h, ofAll)
	if h.share != nil {
		h.share.all.remove(h, ofShare)
		h.share.all.push(h, ofShare)
	}
}

// end gives it back, if it is held.
func (h *holding) end() {
	b := h.of
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !h.lost {
		b.take(h)
	}
	h.of = nil
}

func (b *budget) shareOf(who netip.Addr) *share {
	if b.shares == nil {
		b.shares = map[netip.Addr]*share{}
	}
	s := b.shares[who]
	if s == nil {
		s = &share{}
		b.shares[who] = s
	}
	return s
}

// resize makes h so many bytes, and returns what drops those who lose theirs for that. The caller holds mu.
func (b *budget) resize(h *holding, bytes int64) (losers []func()) {
	b.held += bytes - h.bytes
	if h.share != nil {
		h.share.held += bytes - h.bytes
	}
	h.bytes = bytes
	most := b.most()
	if most <= 0 {
		return nil
	}
	lose := func(slowest *holding) {
		b.take(slowest)
		losers = append(losers, slowest.drop)
	}
	for s := h.share; s != nil && s.held > most/shareOfBudget; {
		lose(s.all.first)
	}
	for b.held > most {
		lose(b.all.first)
	}
	return losers
}

// take takes back what h has. The caller holds mu.
func (b *budget) take(h *holding) {
	h.lost = true
	b.held -= h.bytes
	b.all.remove(h, ofAll)
	if h.share == nil {
		return
	}
	h.share.held -= h.bytes
	if h.share.all.remove(h, ofShare); h.share.all.first == nil {
		delete(b.shares, h.who)
	}
}

func (b *budget) dismiss(losers []func()) {
	for _, drop := range losers {
		b.dropped()
		drop()
	}
}

// queue is a list of holdings, each of which can be in one of each kind.
type queue struct{ first, last *holding }

type links struct{ before, behind *holding }

// Kinds of queues.
const (
	ofAll = iota
	ofShare
)

func (q *queue) push(h *holding, kind int) {
	h.links[kind] = links{before: q.last}
	if q.last == nil {
		q.first = h
	} else {
		q.last.links[kind].behind = h
	}
	q.last = h
}

func (q *queue) remove(h *holding, kind int) {
	at := h.links[kind]
	if at.before == nil {
		q.first = at.behind
	} else {
		at.before.links[kind].behind = at.behind
	}
	if at.behind == nil {
		q.last = at.before
	} else {
		at.behind.links[kind].before = at.before
	}
	h.links[kind] = links{}
}
