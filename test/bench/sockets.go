package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"jupyterhubd/hub"
)

// The server behind WebSockets: the stand-in for jupyterhub-singleuser gives back what it gets.
const (
	echoUnit = "bench-echo.service"
	echoURL  = "http://127.0.0.1:9004"
)

// socketRoute leads to it, at every proxy.
var socketRoute = hub.Route{Spec: "/bench/socket/", Target: echoURL, UID: hub.NoUID}

// openSocketLanes starts the server and leads every proxy to it; the configurations of nginx and haproxy do already.
func (s *stage) openSocketLanes(ctx context.Context) error {
	if err := s.startEcho(ctx); err != nil {
		return err
	}
	if s.chp != nil {
		status, _, err := s.own.do(ctx, http.MethodPost, "http://127.0.0.1:9003/api/routes/bench/socket", fmt.Appendf(nil, `{"target": %q}`, echoURL))
		if err != nil || status != http.StatusCreated {
			return fmt.Errorf("add a route to configurable-http-proxy: %d, %w", status, err)
		}
	}
	return nil
}

// startEcho starts the server and leads our proxy to it.
func (s *stage) startEcho(ctx context.Context) error {
	echo := unit{name: echoUnit, environ: []string{"JUPYTERHUB_SERVICE_URL=" + echoURL}, command: []string{singleUser}, core: &restCore}
	if err := s.startUnits(ctx, echo); err != nil {
		return err
	}
	if err := s.awaitAnswer(ctx, echoURL); err != nil {
		return err
	}
	return s.table().Add(ctx, socketRoute)
}

// scoreSockets opens many WebSockets through a proxy, sends something through each, and looks at the memory that is the proxy's
// own: while all are idle, and once all have ended.
func (s *stage) scoreSockets(ctx context.Context, l lane) error {
	p, err := s.process(ctx, l.unit)
	if err != nil {
		return err
	}
	_, all, err := p.memory()
	if err != nil {
		return err
	}
	before, err := p.anonymous()
	if err != nil {
		return err
	}
	sockets, err := s.openMany(ctx, l, greet)
	if err != nil {
		return err
	}
	s.rest(ctx)
	during, err := p.anonymous()
	for _, c := range sockets {
		c.Close()
	}
	if err != nil {
		return err
	}
	s.rest(ctx)
	_, after, err := p.memory()
	if err != nil {
		return err
	}
	s.scores.note("socket-memory", l.name, max(0.01, during-before)/float64(len(sockets)))
	s.scores.note("socket-after", l.name, after/all)
	return nil
}

// rest lets everything come to rest.
func (s *stage) rest(ctx context.Context) {
	select {
	case <-time.After(s.size.calm):
	case <-ctx.Done():
	}
}

// scoreKept opens many connections, asks for something small over each, and looks at the memory that they take while all are
// kept for a next request.
func (s *stage) scoreKept(ctx context.Context, l lane) error {
	p, err := s.process(ctx, l.unit)
	if err != nil {
		return err
	}
	before, err := p.anonymous()
	if err != nil {
		return err
	}
	kept, err := s.openMany(ctx, l, askOnce)
	if err != nil {
		return err
	}
	s.rest(ctx)
	during, err := p.anonymous()
	for _, c := range kept {
		c.Close()
	}
	if err == nil {
		s.scores.note("kept-memory", l.name, max(0.1, (during-before)/float64(len(kept)))) // what is less, is nothing
	}
	return err
}

// openMany opens connections to a proxy one after another, and begins with each. What is open when it fails is closed.
func (s *stage) openMany(ctx context.Context, l lane, begin func(net.Conn) error) (open []net.Conn, err error) {
	defer func() {
		if err != nil {
			for _, c := range open {
				c.Close()
			}
		}
	}()
	where, err := url.Parse(l.url)
	if err != nil {
		return nil, err
	}
	for range s.size.sockets {
		c, err := s.bed.Dial(ctx, "tcp", where.Host)
		if err != nil {
			return open, err
		}
		open = append(open, c)
		c.SetDeadline(time.Now().Add(patience))
		if err := begin(c); err != nil {
			return open, fmt.Errorf("connection %d: %w", len(open), err)
		}
	}
	return open, nil
}

// askOnce asks for something small, and leaves the connection open.
func askOnce(c net.Conn) error {
	if _, err := io.WriteString(c, "GET "+ownLane.Spec+" HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// message is what goes through each: a text of 1,000 bytes in a frame.
func message() []byte { return append([]byte{0x81, 126, 1000 >> 8, 1000 & 255}, make([]byte, 1000)...) }

// greet opens a WebSocket and has a message sent back.
func greet(c net.Conn) error {
	if _, err := io.WriteString(c, "GET "+socketRoute.Spec+" HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		return err
	}
	br := bufio.NewReader(c)
	answer, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	return talk(c, br)
}

// talk has a message sent back over an open WebSocket.
func talk(c io.Writer, from io.Reader) error {
	text := message()
	if _, err := c.Write(text); err != nil {
		return err
	}
	_, err := io.ReadFull(from, text)
	return err
}

// anonymous is the memory of the process that no file is behind, in KiB: what its own code asked for.
func (p process) anonymous() (float64, error) {
	text, err := p.read("status")
	if err != nil {
		return 0, err
	}
	return valueOf(text, "RssAnon:"), nil
}
