package proxy

import (
	"encoding/json"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// parked is an open WebSocket without a proxy: what another process needs to go on with it. A tunnel over TLS cannot be parked,
// because nobody can take over what crypto/tls knows; it has to be closed with serviceRestart, or stay where it is.
//
// A process that is about to end calls tunnels.surrender once it accepts nothing more, stores each pair of descriptors with the
// state (systemd's file-descriptor store, a socket with SCM_RIGHTS), closes its own copies, and ends the rest with
// tunnels.shut. The one that follows restores its table first and then calls Proxy.adopt for each pair.
type parked struct {
	route  string // key of the route that it was opened on
	client int    // descriptors, which belong to whoever holds this; non-blocking
	server int
	state  []byte // JSON, a few hundred bytes, and what was stuck on its way
}

// tunnelState is where the two directions of a tunnel are.
type tunnelState struct {
	Sessions []string  `json:"sessions,omitempty"`
	Names    []string  `json:"names,omitempty"`
	Client   sideState `json:"client"`
	Server   sideState `json:"server"`
}

// sideState is where one side's frames are, and what it has not taken yet.
type sideState struct {
	Head  []byte `json:"head,omitempty"`
	Left  uint64 `json:"left,omitempty"`
	Data  bool   `json:"data,omitempty"`
	Stuck []byte `json:"stuck,omitempty"`
}

// surrender takes every plain tunnel that is open, and not about to end, out of this process's hands. Nothing is said to
// either side.
func (ts *tunnels) surrender() (all []parked) {
	for _, t := range ts.list(func(*tunnel) bool { return true }) {
		if p, ok := t.park(); ok {
			all = append(all, p)
		}
	}
	return all
}

// park takes the tunnel's descriptors out, unless there is more to it than these.
func (t *tunnel) park() (parked, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone || t.client.over || t.server.over || !t.client.plain() || !t.server.plain() {
		return parked{}, false
	}
	s := tunnelState{Names: t.names, Client: t.client.state(), Server: t.server.state()}
	for _, id := range t.sessions {
		s.Sessions = append(s.Sessions, id.String())
	}
	b, err := json.Marshal(s)
	if err != nil {
		return parked{}, false
	}
	t.leave()
	p := parked{route: t.route, client: t.client.sock.release(), server: t.server.sock.release(), state: b}
	t.shut()
	return p, true
}

func (e *end) state() sideState {
	f := &e.inward
	return sideState{Head: f.head[:f.have], Left: f.left, Data: f.data, Stuck: e.sock.stuck}
}

// release gives the descriptor away.
func (s *socket) release() int {
	fd := s.fd
	s.fd, s.stuck = -1, nil
	return fd
}

// adopt goes on with a tunnel that another process has parked. The descriptors are taken in any case, and closed on an error.
func (p *Proxy) adopt(k parked) error {
	client, server := &socket{fd: k.client}, &socket{fd: k.server}
	refused := func(err error) error {
		client.Close()
		server.Close()
		return err
	}
	r := p.table.get(k.route)
	if r == nil {
		return refused(hub.Errorf(hub.NotFound, "the route of a kept WebSocket is gone"))
	}
	var s tunnelState
	if err := json.Unmarshal(k.state, &s); err != nil {
		return refused(hub.Errorf(hub.Invalid, "the state of a kept WebSocket cannot be read: %w", err))
	}
	t := &tunnel{up: r.up, load: r.load, route: r.key, names: s.Names, active: func() { p.touch(r.up) }, control: p.options.CountControlFrames, now: p.options.Now}
	for _, name := range s.Sessions {
		id, err := readSessionID(name)
		if err != nil {
			return refused(err)
		}
		t.sessions = append(t.sessions, id)
	}
	for _, sock := range []*socket{client, server} {
		if err := unix.SetNonblock(sock.fd, true); err != nil {
			return refused(hub.Errorf(hub.Invalid, "a kept WebSocket has no descriptor: %w", err))
		}
	}
	return p.resume(t, client, server, s)
}

// resume puts an adopted tunnel among the others.
func (p *Proxy) resume(t *tunnel, client, server *socket, s tunnelState) error {
	counted, ok := p.crowd.enter(client)
	if !ok {
		client.Close()
		server.Close()
		return hub.Errorf(hub.TooMany, "there are too many connections for a kept WebSocket")
	}
	kept, err := t.up.keep(server) // closes it on an error
	if err != nil {
		counted.Close()
		return err
	}
	may := func() bool {
		t.client.restore(s.Client)
		t.server.restore(s.Server)
		return p.stays(t)
	}
	return p.tunnels.begin(t, counted, kept, nil, nil, nil, may)
}

// restore goes on where a state says. What does not fit there is left out.
func (e *end) restore(s sideState) {
	f := &e.inward
	f.have, f.left, f.data = copy(f.head[:len(f.head)-1], s.Head), s.Left, s.Data
	e.sock.stuck = s.Stuck
}
