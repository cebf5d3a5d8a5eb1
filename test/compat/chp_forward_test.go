package compat

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// routingConversations are about which route a path finds, and what is forwarded.
func routingConversations() []conversation {
	// asked sets routes for alice and bob, and tells what the upstream was asked for each path.
	asked := func(paths ...string) func(*peer) string {
		return func(p *peer) string {
			p.route("/user/alice")
			p.routeTo("/user/bob", "http://"+p.up.addr+"/bobs")
			p.route("/user/jo@ex.org")
			var said []string
			for _, path := range paths {
				said = append(said, p.seen(path))
			}
			return strings.Join(said, "; ")
		}
	}
	return []conversation{
		{"whole segments match, the longest wins, case counts", "", func(p *peer) string {
			p.routeTo("/a", "http://"+p.up.addr+"/short")
			p.routeTo("/a/b", "http://"+p.up.addr+"/long")
			said := []string{}
			for _, path := range []string{"/a", "/a/", "/a/x", "/a/b", "/a/b/c?q=1", "/a/bc", "/A/b", "/ax"} {
				said = append(said, p.seen(path))
			}
			return strings.Join(said, "; ")
		}, false},
		{"a target's path is put in front", "", asked("/user/bob/x?y", "/user/bob"), false},
		{"queries pass as they are", "", asked("/user/alice/x?a=1;b=2", "/user/alice/x?%zz&y=2", "/user/alice/x?next=/hub/%2F"), false},
		{"escapes in the rest pass as they are", "", asked("/user/alice/a%20b", "/user/alice/%2F", "/user/alice/%e4%bd%a0", "/user/alice/a+b@c~d"), false},
		{"double slashes pass as they are", "", asked("/user/alice//x", "/user/alice/x//y/"), false},
		{"a name that is spelled in another way", "", asked("/user/jo%40ex.org/x", "/user/%61lice/x"), false},
		{"dot segments", "", asked("/user/alice/../bob/x", "/user/alice/./x", "/user/alice/%2e%2e/bob/x"), false},
		{"backslashes", "", asked(`/user/alice/a\b`), false},
		{"slashes in front", "", asked("//user/alice/x"), false},
		{"encoded slashes in front of a route's end", "", asked("/user%2Falice/x"), false},
		{"escapes that are none", "", asked("/user/alice/%zz", "/user/alice/%ff"), false},
		{"raw characters that no path may hold", "", asked(`/user/alice/a"b<c>`, "/user/alice/{x}", "/user/alice/a|b^c", "/user/alice/ü"), false},
		{"absolute form", "", asked("http://elsewhere.example/user/alice/x"), false},
		{"hosts are the first segment", "--host-routing", func(p *peer) string {
			p.route("/alice.example/user")
			p.route("/")
			var said []string
			for _, host := range []string{"alice.example", "alice.example:8000", "bob.example"} {
				said = append(said, host+" "+p.say("GET /user/x HTTP/1.1\r\nHost: "+host+"\r\n\r\n"))
			}
			return strings.Join(said, "; ")
		}, false},
		{"hosts in other spellings", "--host-routing", func(p *peer) string {
			p.route("/alice.example/user")
			p.call("DELETE", "/api/routes/", "")
			var said []string
			for _, host := range []string{"Alice.Example", "alice.example."} {
				status, _, _ := strings.Cut(p.say("GET /user/x HTTP/1.1\r\nHost: "+host+"\r\n\r\n"), " ")
				said = append(said, host+" "+status)
			}
			return strings.Join(said, "; ")
		}, false},
		{"the default target", "--default-target http://UP/pre", func(p *peer) string {
			return p.seen("/x") + strings.ReplaceAll(untimed(p.call("GET", "/api/routes", "")), p.up.addr, "UP")
		}, false},
		{"--no-prepend-path", "--no-prepend-path", asked("/user/bob/x?y"), false},
		{"--no-include-prefix", "--no-include-prefix", asked("/user/bob/x?y", "/user/alice/x/y", "/user/alice/x%20y"), false},
		{"--no-include-prefix with escapes in the prefix", "--no-include-prefix", asked("/user/%61lice/x"), false},
		{"a target behind a Unix socket", "", func(p *peer) string {
			path := filepath.Join(p.dir, "up.sock")
			l, err := net.Listen("unix", path)
			if err != nil {
				return err.Error()
			}
			server := &http.Server{Handler: p.up}
			go server.Serve(l)
			defer server.Close()
			p.routeTo("/sock", "http+unix://"+url.PathEscape(path)+"/pre")
			p.routeTo("/kcos", "unix+http://"+url.PathEscape(path))
			return p.say(request("GET", "/sock/x")) + p.say(request("GET", "/kcos/x"))
		}, false},
	}
}

// forwardingConversations are about headers and framing.
func forwardingConversations() []conversation {
	// header tells what the upstream got under some names when a client sent some lines.
	header := func(names string, lines ...string) func(*peer) string {
		return func(p *peer) string {
			p.route("/user/alice")
			p.get("/user/alice/x", lines...)
			head := p.up.last()
			var said []string
			for _, name := range strings.Fields(names) {
				said = append(said, name+"="+strings.ReplaceAll(field(head, name), p.up.addr, "UP"))
			}
			return strings.Join(said, ", ")
		}
	}
	says := func(text string) func(*peer) string {
		return func(p *peer) string {
			p.route("/user/alice")
			return p.say(text)
		}
	}
	return []conversation{
		{"Host is kept", "", header("Host"), false},
		{"who asks, to a client's plain request", "", header("X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host"), false},
		{"the port that was asked", "", func(p *peer) string {
			p.route("/user/alice")
			p.say("GET /user/alice/x HTTP/1.1\r\nHost: hub.example:8443\r\n\r\n")
			return field(p.up.last(), "X-Forwarded-Port")
		}, false},
		{"X-Real-IP and X-Scheme", "", header("X-Real-Ip X-Scheme", "X-Scheme: https"), false},
		{"X-Forwarded-* that a client sends", "", header("X-Forwarded-For X-Forwarded-Proto", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"), false},
		{"--no-x-forward", "--no-x-forward", header("X-Forwarded-For X-Forwarded-Proto X-Real-Ip", "X-Forwarded-For: 203.0.113.9"), false},
		{"--change-origin", "--change-origin", header("Host"), false},
		{"--custom-header", "--custom-header X-Site:physics --custom-header Accept:text/plain", header("X-Site Accept", "Accept: text/html", "X-Site: x"), false},
		{"headers that name a hop", "", header("X-Hop Te Keep-Alive Proxy-Authorization", "Connection: close, X-Hop", "X-Hop: 1", "TE: trailers", "Keep-Alive: 5", "Proxy-Authorization: x"), false},
		{"an upgrade that is no WebSocket", "", says(request("GET", "/user/alice/x", "Connection: Upgrade", "Upgrade: h2c")), true},
		{"cookies of others", "", func(p *peer) string {
			p.call("POST", "/api/routes/user/alice", fmt.Sprintf(`{"target": "http://%s", "user": "alice", "server_name": ""}`, p.up.addr))
			p.get("/user/alice/x", "Cookie: jupyterhub-hub-login=secret; jupyterhub-user-alice=a; jupyterhub-user-bob=b; _xsrf=x; mine=1")
			return field(p.up.last(), "Cookie")
		}, false},
		{"bodies, also of methods that seldom have one", "", func(p *peer) string {
			p.route("/user/alice")
			return p.say("POST /user/alice/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfour") + p.say("PUT /user/alice/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n")
		}, false},
		{"DELETE with a chunked body", "", says("DELETE /user/alice/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"), false},
		{"two framings of one body", "", func(p *peer) string {
			p.route("/user/alice")
			var said []string
			for _, lines := range []string{"Content-Length: 4\r\nTransfer-Encoding: chunked", "Content-Length: 4\r\nContent-Length: 5", "Content-Length: x"} {
				status, _, _ := strings.Cut(p.say("POST /user/alice/x HTTP/1.1\r\nHost: h\r\n"+lines+"\r\n\r\nfour"), " ")
				said = append(said, status)
			}
			return strings.Join(said, " ")
		}, false},
		{"a request without a Host", "", func(p *peer) string {
			status, _, _ := strings.Cut(p.say("GET /user/alice/x HTTP/1.1\r\n\r\n"), " ")
			return status
		}, false},
		{"HTTP/1.0", "", func(p *peer) string {
			p.route("/user/alice")
			res, body := p.hear("GET /user/alice/x HTTP/1.0\r\nHost: h\r\n\r\n")
			return fmt.Sprint(res.StatusCode, res.Close, body)
		}, false},
		{"CONNECT", "", says("CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\n\r\n"), false},
		{"redirects pass as they are", "", func(p *peer) string { return location(p, "/user/alice/redirect") }, false},
		{"--auto-rewrite", "--auto-rewrite", func(p *peer) string { return location(p, "/user/alice/redirect") }, false},
		{"--auto-rewrite, the port", "--auto-rewrite", func(p *peer) string { return location(p, "/user/alice/redirect", "Host: hub.example:8443") }, false},
		{"--protocol-rewrite", "--protocol-rewrite https", func(p *peer) string { return location(p, "/user/alice/redirect") }, false},
		{"the health check", "", func(p *peer) string {
			return p.say(request("GET", "/_chp_healthz")) + p.say(request("POST", "/_chp_healthz"))
		}, false},
		{"the health check with a query", "", func(p *peer) string {
			status, _, _ := strings.Cut(p.say(request("GET", "/_chp_healthz?x")), " ")
			return status
		}, false},
		{"--pid-file", "--pid-file DIR/pid", func(p *peer) string {
			pid, err := os.ReadFile(p.dir + "/pid")
			return fmt.Sprint(string(pid) == fmt.Sprint(p.cmd.Process.Pid), err)
		}, false},
	}
}

// location is where a path is redirected, by the words that stand for addresses.
func location(p *peer, path string, header ...string) string {
	p.route("/user/alice")
	text := request("GET", path)
	for _, h := range header {
		text = strings.Replace(text, "Host: hub.example", h, 1)
	}
	res, body := p.hear(text)
	if res == nil {
		return body
	}
	return strings.ReplaceAll(res.Header.Get("Location"), p.up.addr, "UP")
}
