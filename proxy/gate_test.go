package proxy

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// from is a connection that comes from somewhere.
type from struct {
	net.Conn
	addr string
}

func (f from) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(f.addr), Port: 4711}
}

// Vulnerability: each connection that is let in costs a handshake, before anything is known of who wants what.
// Attack: Mallory opens thousands at once.
// Verified: some of one address are let in at once, the others one after another, and when too many wait they are refused; others, and who
// comes by a trusted proxy, do not wait.
func TestACrowdIsLetInOneByOne(t *testing.T) {
	p := newProxy(t, Options{})
	if err := p.Apply(Settings{Trusted: trust{prefix("192.0.2.0/24")}}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		g := &gate{meet: p.meet, closing: make(chan struct{})}
		waits := func(addr string) (time.Duration, bool) {
			began := time.Now()
			turn, ok := g.arrive(from{addr: addr})
			turn.end()
			return time.Since(began), ok
		}
		const atOnce = arrivals * int(arrivalBurst) / int(time.Second)
		for i := range atOnce + 5 {
			wait, ok := waits("203.0.113.9")
			if i <= atOnce && wait != 0 || i > atOnce && wait != time.Second/arrivals || !ok {
				t.Fatalf("the %d. waits %s, %v", i+1, wait, ok)
			}
		}
		p.guests.get(addrOf(from{addr: "203.0.113.9"}.RemoteAddr())).arrivals.due = time.Now().Add(arrivalBurst + arrivalPatience + time.Millisecond)
		if _, ok := waits("203.0.113.9"); ok {
			t.Error("one more may wait")
		}
		for _, addr := range []string{"203.0.113.10", "127.0.0.1", "192.0.2.7"} {
			for range 2 * atOnce {
				if wait, ok := waits(addr); addr != "203.0.113.10" && (wait != 0 || !ok) {
					t.Fatalf("who comes from %s waits %s, %v", addr, wait, ok)
				}
			}
		}
	})
}
