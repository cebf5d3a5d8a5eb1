package proxy

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// crowd counts connections, so that no single address can take them all. A whole class may sit behind one address, each with
// a dozen tabs: the limit is there for machines. Proxies that are trusted and this machine itself count for nobody.
type crowd struct {
	trusted func() trust
	most    func() int // connections of one address; 0: no bound
	total   int        // connections at all
	refused func()     // counts those for whom there is no room
	words   chan struct{}

	mu   sync.Mutex // guards the fields below
	here map[netip.Addr]int
	all  int
}

// What a client hears for which there is no room, and how long it may take to hear it; maxWords is how many hear it at once.
const (
	noRoom = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 45\r\nRetry-After: 5\r\n" +
		"Cache-Control: no-store\r\nConnection: close\r\n\r\nThere are too many connections at this time.\n"
	lastWord = 500 * time.Millisecond
	maxWords = 64
)

func newCrowd(trusted func() trust, most func() int, total int, refused func()) *crowd {
	return &crowd{trusted: trusted, most: most, total: total, refused: refused, words: make(chan struct{}, maxWords), here: map[netip.Addr]int{}}
}

// enter counts a connection in, or refuses it.
func (cr *crowd) enter(c net.Conn) (net.Conn, bool) {
	who := neighbourhood(addrOf(c.RemoteAddr()))
	free := isHere(who) || cr.trusted().has(who)
	cr.mu.Lock()
	defer cr.mu.Unlock()
	if most := cr.most(); cr.all >= cr.total || !free && most > 0 && cr.here[who] >= most {
		cr.refused()
		return nil, false
	}
	cr.all++
	cr.here[who]++
	return &countedConn{Conn: c, crowd: cr, who: who}, true
}

func (cr *crowd) leave(who netip.Addr) {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	cr.all--
	if cr.here[who]--; cr.here[who] == 0 {
		delete(cr.here, who)
	}
}

func (cr *crowd) count() int {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	return cr.all
}

// neighbourhood is what counts as one client: an IPv4 address, or the /64 that one IPv6 host can choose from.
func neighbourhood(a netip.Addr) netip.Addr {
	if a.Is6() && !a.IsLoopback() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// countedConn counts itself out when it is closed.
type countedConn struct {
	net.Conn
	crowd *crowd
	who   netip.Addr
	once  sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.crowd.leave(c.who) })
	return c.Conn.Close()
}

// CloseWrite tells the client that no more comes.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// TCP returns the connection below, when there is nothing between that and its bytes.
func (c *countedConn) TCP() (*net.TCPConn, bool) {
	tcp, ok := c.Conn.(*net.TCPConn)
	return tcp, ok
}

// detach makes the connection a tunnel's, which goes on being counted.
func (c *countedConn) detach() (*socket, error) {
	s, err := detach(c.Conn)
	if err != nil {
		return nil, err
	}
	c.Conn = s
	return s, nil
}

// NetConn returns the connection below.
func (c *countedConn) NetConn() net.Conn { return c.Conn }
