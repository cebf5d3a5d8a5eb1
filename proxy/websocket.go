package proxy

import (
	"bufio"
	"bytes"
	"net"
	"net/http"

	"jupyterhubd/proxy/strict"
)

// websocket opens a tunnel: the upstream is asked first, and only its 101 turns the client's connection into one. Another answer
// is passed on, and the client's connection ends with it.
func (p *Proxy) websocket(w http.ResponseWriter, ps *passage) {
	ex := p.forward.begin(w, ps, true)
	defer ex.end()
	answer, err := ex.ask()
	if err != nil {
		p.fail(w, ps, err)
		return
	}
	if answer.Status != http.StatusSwitchingProtocols {
		ex.deliver(answer)
		return
	}
	p.metrics.proxied(answer.Status)
	server, first := ex.link.conn, rest(ex.link.br)
	p.forward.readers.put(ex.link.br)
	if !ex.stop() { // the client is gone already
		server.Close()
		return
	}
	client, early, err := takeOver(w)
	if err != nil {
		server.Close()
		p.fail(w, ps, err)
		return
	}
	p.open(ps, client, server, early, switched(answer, ps.route.jar), first)
}

// open makes a tunnel of the two connections.
func (p *Proxy) open(ps *passage, client, server net.Conn, early, head, first []byte) {
	up := ps.route.up
	t := &tunnel{up: up, load: ps.route.load, share: ps.share, route: ps.route.key, sessions: ps.sessions, names: ps.names, active: func() { p.touch(up) }, control: p.options.CountControlFrames, now: p.options.Now}
	if err := p.tunnels.begin(t, client, server, early, head, first, func() bool { return p.opens(t, ps.anew) }); err != nil {
		p.options.Log.Debug().Err(err).Str("route", ps.route.key).Msg("a WebSocket did not open")
	}
}

// takeOver takes the client's connection from net/http, with what was read of it already.
func takeOver(w http.ResponseWriter) (net.Conn, []byte, error) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	untime(c)
	return c, rest(rw.Reader), nil
}

// rest returns a copy of what a reader holds: its own buffer can then go.
func rest(br *bufio.Reader) []byte {
	b, err := br.Peek(br.Buffered())
	if err != nil {
		return nil
	}
	return bytes.Clone(b)
}

// switched writes the upstream's 101 for the client.
func switched(answer strict.Answer, j jar) []byte {
	removeHops(answer.Header)
	j.filterAnswer(answer.Header)
	b := []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
	for name, values := range answer.Header {
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	return append(b, "\r\n"...)
}
