package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// lender is a budget of which it is noted who lost theirs.
type lender struct {
	budget
	lost    []string
	counted int
}

func newLender(most int64) *lender {
	l := &lender{}
	l.most, l.dropped = func() int64 { return most }, func() { l.counted++ }
	return l
}

func (l *lender) lend(name, who string, bytes int64) *holding {
	h, from := &holding{}, netip.Addr{}
	if who != "" {
		from = netip.MustParseAddr(who)
	}
	l.hold(h, from, bytes, func() { l.lost = append(l.lost, name) })
	return h
}

// The slowest loses, for whoever comes: of everybody when all of it is held, of the same address when that has its share.
func TestTheSlowestLosesTheirMemory(t *testing.T) {
	const mallory, alice = "203.0.113.9", "198.51.100.1"
	for _, c := range []struct {
		name string
		do   func(l *lender)
		lost []string
	}{
		{"a share is full", func(l *lender) {
			l.lend("alice", alice, 20)
			l.lend("first", mallory, 15)
			l.lend("second", mallory, 10)
			l.lend("third", mallory, 1)
		}, []string{"first"}},
		{"what has moved is not the slowest", func(l *lender) {
			first := l.lend("first", mallory, 10)
			l.lend("second", mallory, 10)
			first.moved()
			l.lend("third", mallory, 10)
		}, []string{"second"}},
		{"what grows counts as well", func(l *lender) {
			first := l.lend("first", mallory, 1)
			l.lend("second", mallory, 20)
			first.grow(5)
			first.grow(6)
		}, []string{"first"}},
		{"what was given back is nobody's", func(l *lender) {
			l.lend("first", mallory, 20).end()
			l.lend("second", mallory, 20)
		}, nil},
		{"many addresses", func(l *lender) {
			for i := range 5 {
				l.lend(fmt.Sprint(i), fmt.Sprintf("192.0.2.%d", i), 20)
			}
			l.lend("alice", alice, 20)
		}, []string{"0"}},
		{"who has no share may have all", func(l *lender) {
			l.lend("front", "", 60)
			l.lend("alice", alice, 20)
			l.lend("front again", "", 30)
		}, []string{"front"}},
		{"who wants more than there is", func(l *lender) {
			l.lend("alice", alice, 1)
			l.lend("mallory", mallory, 1000).end()
		}, []string{"mallory"}},
	} {
		l := newLender(100)
		c.do(l)
		if !slices.Equal(l.lost, c.lost) || l.counted != len(c.lost) {
			t.Errorf("%s: lost is that of %q (%d counted), want %q", c.name, l.lost, l.counted, c.lost)
		}
	}
	if l := newLender(0); l.lend("all", mallory, 1<<40).lost {
		t.Error("there is a bound where none is set")
	}
}

// Whatever is held, moved, grown and given back: it adds up, and no more is held than there is.
func TestABudgetAddsUp(t *testing.T) {
	const most = 1000
	l, random := newLender(most), rand.New(rand.NewPCG(1, 2))
	var held []*holding
	for range 20_000 {
		switch n := random.IntN(5); {
		case n < 2 || len(held) == 0:
			held = append(held, l.lend("x", fmt.Sprintf("192.0.2.%d", random.IntN(9)), int64(random.IntN(60))))
		case n == 2:
			held[random.IntN(len(held))].moved()
		case n == 3:
			held[random.IntN(len(held))].grow(int64(random.IntN(60)))
		default:
			i := random.IntN(len(held))
			held[i].end()
			held = slices.Delete(held, i, i+1)
		}
		var all int64
		shares := map[netip.Addr]int64{}
		for _, h := range held {
			if !h.lost {
				all += h.bytes
				shares[h.who] += h.bytes
			}
		}
		if l.held != all || all > most {
			t.Fatalf("%d are held, %d are counted", all, l.held)
		}
		for who, s := range l.shares {
			if s.held != shares[who] || s.held > most/shareOfBudget {
				t.Fatalf("%s has %d, %d are counted", who, shares[who], s.held)
			}
		}
	}
	for _, h := range held {
		h.end()
		h.end()
	}
	if l.held != 0 || len(l.shares) != 0 || l.all.first != nil || l.all.last != nil {
		t.Errorf("%d bytes and %d shares are left", l.held, len(l.shares))
	}
}
