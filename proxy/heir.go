package proxy

import (
	"fmt"
	"net"
	"os"
	"time"
)

// Heir is the side of a succession that comes after.
type Heir struct {
	wire   *wire
	doors  map[string][]*os.File
	elders []*os.File
}

// Knock connects to a proxy's control socket and returns the connection with what a successor is to be started with.
func Knock(path string) (conn *os.File, args, env []string, err error) {
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, nil, nil, err
	}
	l := newWire(c)
	defer l.close()
	m, files, err := l.expect(doHello, startTime)
	if err != nil {
		return nil, nil, nil, err
	}
	closeAll(files)
	conn, err = l.file()
	return conn, m.Args, m.Env, err
}

// Claim says over a connection that Knock made that the successor is there, and receives its doors.
func Claim(conn *os.File) (*Heir, error) {
	l, err := wireOf(conn)
	if err != nil {
		return nil, err
	}
	if err := l.send(message{Do: doClaim, PID: os.Getpid()}); err != nil {
		return nil, err
	}
	m, files, err := l.expect(doEstate, startTime)
	if err != nil {
		return nil, err
	}
	if len(m.Names) != len(files) {
		closeAll(files)
		return nil, fmt.Errorf("take over %d doors: %d descriptors came", len(m.Names), len(files))
	}
	h := &Heir{wire: l, doors: map[string][]*os.File{}}
	for i, name := range m.Names {
		if name == "" {
			h.elders = append(h.elders, files[i])
		} else {
			h.doors[name] = append(h.doors[name], files[i])
		}
	}
	return h, nil
}

// Doors returns the listeners of a name. They can be taken once.
func (h *Heir) Doors(name string) ([]net.Listener, error) {
	files := h.doors[name]
	delete(h.doors, name)
	var all []net.Listener
	for _, f := range files {
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("take over the door %s: %w", name, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// table asks for the routes. From here on the one that is followed lets changes wait.
func (h *Heir) table() (state, error) {
	var s state
	if err := h.wire.send(message{Do: doFreeze}); err != nil {
		return s, err
	}
	_, files, err := h.wire.expect(doTable, freezeTime+time.Second)
	if err != nil {
		return s, err
	}
	if len(files) != 1 {
		closeAll(files)
		return s, fmt.Errorf("take over the routes: %d descriptors came", len(files))
	}
	return s, fromMemory(files[0], &s)
}

// Succeed makes a proxy that serves already the one whose the site is. On an error the one before goes on, and this one has to
// end.
func (p *Proxy) Succeed() error {
	h := p.options.Heir
	err := h.wire.send(message{Do: doServing})
	if err == nil {
		var files []*os.File
		_, files, err = h.wire.expect(doYours, answerTime+freezeTime)
		closeAll(files)
	}
	if err != nil {
		p.ledger.retire() // the file is the other one's
		return err
	}
	for _, f := range h.elders {
		if l, err := wireOf(f); err == nil {
			p.elders.add(l)
		}
	}
	p.elders.add(h.wire)
	p.ledger.change() // what the one before had in memory alone
	return p.ledger.save()
}
