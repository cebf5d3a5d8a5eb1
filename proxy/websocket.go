package proxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"
)

// websocket opens a tunnel: the upstream is asked first, and only its 101 turns the client's connection into one.
func (p *Proxy) websocket(w http.ResponseWriter, ps *passage) {
	ctx, up := ps.in.Context(), ps.route.up
	server, err := up.open(ctx)
	if err != nil {
		p.fail(w, ps, err)
		return
	}
	given := context.AfterFunc(ctx, func() { server.Close() }) // the client may leave before the answer
	if limit := ps.manners.answerIn(ps.route.isHub()); limit > 0 {
		server.SetReadDeadline(time.Now().Add(limit))
	}
	answer, br, err := greet(server, ps.handshake(ctx))
	server.SetReadDeadline(time.Time{})
	if err != nil {
		server.Close()
		p.fail(w, ps, err)
		return
	}
	p.metrics.proxied(answer.StatusCode)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		defer server.Close()
		ps.manners.rewrite(answer, ps)
		relay(w, answer, ps.route.jar)
		return
	}
	if !given() { // the client is gone already
		return
	}
	client, early, err := takeOver(w)
	if err != nil {
		server.Close()
		p.fail(w, ps, err)
		return
	}
	t := &tunnel{up: up, route: ps.route.key, sessions: ps.sessions, active: func() { p.touch(up) }, control: p.options.CountControlFrames, now: p.options.Now}
	may := func() bool { return !up.isEnded() && !p.graves.holds(t.sessions, p.options.Now()) }
	if err := p.tunnels.begin(t, client, server, early, switched(answer, ps.route.jar), rest(br), may); err != nil {
		p.options.Log.Debug().Err(err).Str("route", ps.route.key).Msg("a WebSocket did not open")
	}
}

// handshake is the request that goes upstream.
func (ps *passage) handshake(ctx context.Context) *http.Request {
	out := ps.in.Clone(ctx)
	removeHops(out.Header)
	ps.prepare(out)
	out.Body, out.ContentLength, out.Close = nil, 0, false
	out.Header["Connection"] = []string{"Upgrade"}
	out.Header["Upgrade"] = []string{"websocket"}
	if out.Header["User-Agent"] == nil {
		out.Header["User-Agent"] = []string{""} // or net/http would send its own
	}
	return out
}

// relay passes on an upstream's refusal. The client's connection ends with it: what follows a handshake is not looked at.
func relay(w http.ResponseWriter, answer *http.Response, j jar) {
	removeHops(answer.Header)
	j.filterAnswer(answer.Header)
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	if answer.Header["Content-Type"] == nil {
		w.Header()["Content-Type"] = nil
	}
	w.Header()["Connection"] = []string{"close"}
	w.WriteHeader(answer.StatusCode)
	if _, err := io.Copy(w, answer.Body); err != nil {
		panic(http.ErrAbortHandler)
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
func switched(answer *http.Response, j jar) []byte {
	removeHops(answer.Header)
	j.filterAnswer(answer.Header)
	answer.Header["Connection"] = []string{"Upgrade"}
	answer.Header["Upgrade"] = []string{"websocket"}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	for name, values := range answer.Header {
		for _, v := range values {
			b.WriteString(name + ": " + strings.NewReplacer("\r", " ", "\n", " ").Replace(v) + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// greet sends a WebSocket handshake upstream and reads the answer. 100 and 103 are of no use to a browser here.
func greet(c net.Conn, out *http.Request) (*http.Response, *bufio.Reader, error) {
	c.SetWriteDeadline(time.Now().Add(handshakeWrite))
	if err := out.Write(c); err != nil {
		return nil, nil, err
	}
	c.SetWriteDeadline(time.Time{})
	limited := &io.LimitedReader{R: c, N: maxAnswerHead}
	br := bufio.NewReader(limited)
	for {
		answer, err := http.ReadResponse(br, out)
		if err != nil {
			return nil, nil, err
		}
		if answer.StatusCode/100 != 1 || answer.StatusCode == http.StatusSwitchingProtocols {
			limited.N = math.MaxInt64 // a body has no limit
			return answer, br, nil
		}
	}
}
