package compat

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// endingConversations are about errors, WebSockets, activity and the program's end.
func endingConversations() []conversation {
	// moves tells whether something makes a route look used.
	moves := func(do func(*peer)) func(*peer) string {
		return func(p *peer) string {
			p.route("/user/alice")
			before := p.active("/user/alice")
			tick(p)
			do(p)
			return fmt.Sprint(p.active("/user/alice").After(before))
		}
	}
	return []conversation{
		{"no route", "", func(p *peer) string { return p.get("/nowhere") }, false},
		{"a target that is away", "", func(p *peer) string {
			p.routeTo("/away", "http://127.0.0.1:1")
			return p.get("/away/x")
		}, false},
		{"the page of an error target", "--error-target http://UP/hub/error", func(p *peer) string {
			p.routeTo("/away", "http://127.0.0.1:1")
			return p.say(request("GET", "/nowhere", "Cookie: a=b")) + field(p.up.last(), "Cookie") + p.get("/away/x")
		}, false},
		{"what an error target is told of the query", "--error-target http://UP/hub/error", func(p *peer) string { return p.say(request("GET", "/nowhere?token=secret")) }, false},
		{"errors as JSON", "--error-target http://UP/hub/error", func(p *peer) string {
			res, _ := p.hear(request("GET", "/nowhere", "Accept: application/json"))
			return res.Header.Get("Content-Type")
		}, false},
		{"--error-path", "--error-path DIR", func(p *peer) string {
			os.WriteFile(p.dir+"/404.html", []byte("nothing here"), 0o600)
			os.WriteFile(p.dir+"/error.html", []byte("something is wrong"), 0o600)
			p.routeTo("/away", "http://127.0.0.1:1")
			return p.say(request("GET", "/nowhere")) + p.say(request("GET", "/away/x"))
		}, false},
		{"--proxy-timeout", "--proxy-timeout 300", func(p *peer) string {
			p.route("/user/alice")
			return p.get("/user/alice/silent")
		}, false},
		{"--timeout", "--timeout 300", func(p *peer) string {
			p.route("/user/alice")
			return p.say(request("GET", "/user/alice/silent"))
		}, false},
		{"a target that dies in its answer", "", func(p *peer) string {
			p.route("/user/alice")
			_, body := p.hear(request("GET", "/user/alice/dies"))
			return body
		}, true},
		{"a WebSocket's bytes pass both ways", "", func(p *peer) string {
			p.route("/user/alice")
			c := p.tunnel("/user/alice/echo")
			defer c.Close()
			io.WriteString(c, "\x81\x02hi")
			return c.read(4)
		}, false},
		{"bytes sent with a WebSocket's handshake", "", func(p *peer) string {
			p.route("/user/alice")
			c := p.tunnelWith("/user/alice/echo", "\x81\x02hi")
			defer c.Close()
			return c.read(4)
		}, true},
		{"a WebSocket's X-Forwarded-Proto", "", func(p *peer) string {
			p.route("/user/alice")
			p.tunnel("/user/alice/echo").Close()
			return field(p.up.last(), "X-Forwarded-Proto")
		}, false},
		{"a WebSocket that the target refuses", "", func(p *peer) string {
			p.route("/user/alice")
			return p.get("/user/alice/refuses", "Connection: Upgrade", "Upgrade: websocket")
		}, false},
		{"a WebSocket to nowhere", "", func(p *peer) string { return p.get("/nowhere", "Connection: Upgrade", "Upgrade: websocket") }, false},
		{"WebSockets of a route that is removed", "", func(p *peer) string {
			p.route("/user/gone")
			c := p.tunnel("/user/gone/echo")
			defer c.Close()
			p.call("DELETE", "/api/routes/user/gone", "")
			return c.read(1) // after the grace
		}, true},
		{"activity: a good answer", "", moves(func(p *peer) { p.get("/user/alice/x") }), false},
		{"activity: a redirect", "", moves(func(p *peer) { p.get("/user/alice/redirect") }), false},
		{"activity: a bad answer", "", moves(func(p *peer) { p.get("/user/alice/missing") }), false},
		{"activity: a body, even to a bad answer", "", moves(func(p *peer) {
			p.say("POST /user/alice/missing HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfour")
		}), false},
		{"activity: an idle WebSocket", "", moves(func(p *peer) { p.tunnel("/user/alice/echo").Close() }), false},
		{"activity: what a WebSocket's client says", "", moves(func(p *peer) {
			c := p.tunnel("/user/alice/echo")
			defer c.Close()
			io.WriteString(c, "\x81\x02hi")
			c.read(4)
		}), false},
		{"activity: a WebSocket's pong", "", moves(func(p *peer) {
			c := p.tunnel("/user/alice/echo")
			defer c.Close()
			io.WriteString(c, "\x8a\x00")
			c.read(2)
		}), false},
		{"activity: what a WebSocket's server says", "", moves(func(p *peer) {
			c := p.tunnel("/user/alice/talks")
			defer c.Close()
			c.read(4)
		}), false},
		{"activity: a new route", "", func(p *peer) string {
			p.route("/user/new")
			before := p.active("/user/new")
			tick(p)
			p.route("/user/new")
			return fmt.Sprint(p.active("/user/new").After(before))
		}, false},
		{"the exit status after SIGTERM", "--log-level error", func(p *peer) string {
			p.cmd.Process.Signal(syscall.SIGTERM)
			<-p.ended
			return fmt.Sprint(p.cmd.ProcessState.ExitCode())
		}, false},
	}
}

// tick waits until a clock of milliseconds has moved.
func tick(p *peer) {
	select {
	case <-time.After(3 * time.Millisecond):
	case <-p.t.Context().Done():
	}
}

// wire is the client's end of a tunnel.
type wire struct {
	net.Conn
	br *bufio.Reader
}

func (p *peer) tunnel(path string) *wire { return p.tunnelWith(path, "") }

// tunnelWith opens a tunnel, with bytes right behind the handshake.
func (p *peer) tunnelWith(path, early string) *wire {
	p.t.Helper()
	c, err := net.Dial("tcp", p.public)
	if err != nil {
		p.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(p.limit))
	io.WriteString(c, request("GET", path, "Connection: Upgrade", "Upgrade: websocket")+early)
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		p.t.Fatalf("no tunnel to %s: %v, %v", path, res, err)
	}
	return &wire{c, br}
}

// read returns the next bytes, or how it ended.
func (w *wire) read(n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(w.br, b); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return "nothing comes"
		}
		return "it ends"
	}
	return fmt.Sprintf("%q", b)
}

// over asks at one of the sockets in the directory.
func (p *peer) over(socket, method, path string) string {
	p.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.dir+"/"+socket)
	}}}
	r, err := http.NewRequestWithContext(p.t.Context(), method, "http://metrics"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", string(text)))
}

func (p *peer) metrics() string {
	p.t.Helper()
	return p.over("metrics", "GET", "/metrics")
}
