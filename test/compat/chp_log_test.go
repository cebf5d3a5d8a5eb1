package compat

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// logConversations are about what a proxy says on its standard streams, where administrators' tools look for it.
func logConversations() []conversation {
	return []conversation{
		{"the lines about requests", "--log-level debug", func(p *peer) string {
			before := len(p.said.String())
			p.route("/user/alice")
			p.routeTo("/user/gone", "http://127.0.0.1:1")
			p.get("/user/alice/x?token=secret")
			p.get("/user/gone/x?token=secret")
			p.get("/nowhere?token=secret")
			p.tunnel("/user/alice/echo").Close()
			p.call("POST", "/api/routes/bad", "{}")
			p.call("GET", "/api/routes/missing", "")
			p.call("GET", "/api/routes?inactive_since=2000-01-01T00:00:00Z", "")
			p.call("DELETE", "/api/routes/user/alice", "")
			p.call("DELETE", "/api/routes/user/gone", "")
			return p.saysOfRequests(before, 17)
		}, false},
		{"the lines about requests, for whom faults alone count", "--log-level warn", func(p *peer) string {
			before := len(p.said.String())
			p.route("/user/alice")
			p.get("/user/alice/x")
			p.call("GET", "/api/routes/missing", "")
			p.get("/nowhere")
			return p.saysOfRequests(before, 2)
		}, false},
	}
}

var (
	colour      = regexp.MustCompile("\x1b\\[[0-9;]*m")
	requestLine = regexp.MustCompile(`\[ConfigProxy\] (\w+: (?:\d{3} [A-Z]+ [^ \n]+|PROXY \w+ [^ \n]+ to [^ \n]+|(?:Route added|Removing route) [^\n]+))`)
)

// saysOfRequests waits until so many lines about requests have been said, and returns all of them, without times and reasons, in order of the alphabet:
// who finishes first is chance.
func (p *peer) saysOfRequests(from, lines int) string {
	p.t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(p.limit)
	for {
		text := colour.ReplaceAllString(p.said.String()[from:], "")
		var said []string
		for _, m := range requestLine.FindAllStringSubmatch(text, -1) {
			said = append(said, strings.TrimSuffix(strings.ReplaceAll(m[1], p.up.addr, "UP"), "/"))
		}
		if len(said) >= lines {
			slices.Sort(said)
			return strings.Join(said, "\n")
		}
		select {
		case <-look.C:
		case <-deadline:
			return "only " + strings.Join(said, "\n")
		}
	}
}
