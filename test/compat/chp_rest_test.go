package compat

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// restConversations are about the REST API.
func restConversations() []conversation {
	table := func(p *peer) string { return untimed(p.call("GET", "/api/routes", "")) }
	return []conversation{
		{"routes are set, shown and removed", "", func(p *peer) string {
			said := []string{
				p.call("POST", "/api/routes/one/two", `{"target": "http://127.0.0.1:1/pre", "user": "alice", "deep": {"a": [1, null]}}`),
				untimed(p.call("GET", "/api/routes/one/two", "")),
				untimed(p.call("GET", "/api/routes/one/two/", "")),
				p.call("POST", "/api/routes/one/two", `{"target": "http://127.0.0.1:2"}`),
				untimed(p.call("GET", "/api/routes/one/two", "")),
				p.call("DELETE", "/api/routes/one/two", ""),
				p.status("DELETE", "/api/routes/one/two", ""),
				p.status("GET", "/api/routes/one/two", ""),
			}
			return strings.Join(said, "; ")
		}, false},
		{"the root has two addresses", "", func(p *peer) string {
			said := p.call("POST", "/api/routes", `{"target": "http://127.0.0.1:1"}`) + p.call("POST", "/api/routes/", `{"target": "http://127.0.0.1:2"}`) + table(p)
			return said + p.call("DELETE", "/api/routes/", "") + table(p)
		}, false},
		{"the root is removed without its slash", "", func(p *peer) string {
			p.call("POST", "/api/routes/", `{"target": "http://127.0.0.1:1"}`)
			defer p.call("DELETE", "/api/routes/", "")
			return p.call("DELETE", "/api/routes", "")
		}, true},
		{"keys are shown decoded", "", func(p *peer) string {
			p.route("/user/jo%40ex.org/%C3%BC%20x/")
			defer p.call("DELETE", "/api/routes/user/jo@ex.org/%C3%BC%20x", "")
			return strings.ReplaceAll(table(p), p.up.addr, "UP")
		}, false},
		{"the last activity is a time of JavaScript's", "", func(p *peer) string {
			p.route("/when")
			defer p.call("DELETE", "/api/routes/when", "")
			return fmt.Sprint(regexp.MustCompile(`"last_activity":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`).MatchString(p.call("GET", "/api/routes/when", "")))
		}, false},
		{"the table is filtered by activity", "", func(p *peer) string {
			p.routeTo("/idle", "http://127.0.0.1:1")
			defer p.call("DELETE", "/api/routes/idle", "")
			var said []string
			for _, query := range []string{"?inactive_since=2000-01-01T00:00:00Z", "?inactiveSince=2100-01-01T00:00:00.000Z", "?inactive_since=2100-01-01", "?inactive_since="} {
				said = append(said, untimed(p.call("GET", "/api/routes"+query, "")))
			}
			return strings.Join(append(said, p.status("GET", "/api/routes?inactive_since=yesterday", "")), "; ")
		}, false},
		{"who may use the API", "", func(p *peer) string {
			var said []string
			for _, who := range []string{"token wrong", "Bearer " + peerToken, "Token " + peerToken, "", "token", "token  " + peerToken} {
				status, _, _ := strings.Cut(p.callAs(who, "GET", "/api/routes", ""), " ")
				said = append(said, status)
			}
			return strings.Join(said, " ")
		}, false},
		{"a token with words around it", "", func(p *peer) string {
			status, _, _ := strings.Cut(p.callAs("my token "+peerToken+" please", "GET", "/api/routes", ""), " ")
			return status
		}, false},
		{"a refused token, in words", "", func(p *peer) string { return p.callAs("token wrong", "GET", "/api/routes", "") }, false},
		{"bodies that are no route", "", func(p *peer) string {
			var said []string
			for _, body := range []string{"", "nonsense", "{}", `{"target": 5}`, `{"target": null}`, `[1]`, `"x"`} {
				said = append(said, p.status("POST", "/api/routes/bad", body))
			}
			return strings.Join(said, " ")
		}, false},
		{"targets that lead nowhere", "", func(p *peer) string {
			defer p.call("DELETE", "/api/routes/bad", "")
			return p.status("POST", "/api/routes/bad", `{"target": "ftp://h"}`) + " " + p.status("POST", "/api/routes/bad", `{"target": "nonsense"}`)
		}, false},
		{"other methods and addresses", "", func(p *peer) string {
			return strings.Join([]string{p.status("PUT", "/api/routes/x", ""), p.status("PATCH", "/api/routes", ""), p.status("GET", "/api/", ""), p.status("GET", "/", ""),
				p.status("GET", "/api/routesx", "")}, " ")
		}, false},
		{"a path that does not decode, in the API", "", func(p *peer) string { return p.status("GET", "/api/routes/%ff", "") }, true},
		{"names out of JavaScript", "", func(p *peer) string {
			defer p.call("DELETE", "/api/routes/constructor/toString", "")
			return p.status("GET", "/api/routes/hasOwnProperty", "") + p.status("POST", "/api/routes/constructor/toString", `{"target": "http://127.0.0.1:1"}`) +
				p.status("GET", "/api/routes/constructor/toString", "")
		}, false},
		{"a route named __proto__", "", func(p *peer) string {
			defer p.call("DELETE", "/api/routes/__proto__", "")
			return p.status("POST", "/api/routes/__proto__", `{"target": "http://127.0.0.1:1"}`) + fmt.Sprint(strings.Contains(table(p), "__proto__"))
		}, false},
		{"the names of the metrics", "--metrics-socket DIR/metrics", func(p *peer) string {
			p.route("/user/alice")
			p.get("/user/alice/x")
			p.call("GET", "/api/routes", "")
			p.call("DELETE", "/api/routes/user/alice", "")
			return metricNames(p.metrics())
		}, false},
		{"what the metrics count", "--metrics-socket DIR/metrics", func(p *peer) string {
			p.route("/user/alice")
			before := p.metrics()
			p.get("/user/alice/missing")
			p.get("/nowhere")
			p.tunnel("/user/alice/echo").Close()
			p.call("POST", "/api/routes/x", `{"target": "http://127.0.0.1:1"}`)
			p.call("DELETE", "/api/routes/x", "")
			after := p.metrics()
			var said []string
			for _, name := range []string{`requests_web`, `requests_ws`, `requests_proxy{status="404"}`, `api_route_add`, `api_route_delete`, `requests_api{status="204"}`} {
				said = append(said, fmt.Sprint(name, " ", metric(after, name)-metric(before, name)))
			}
			return strings.Join(said, ", ")
		}, false},
		{"what is not the metrics", "--metrics-socket DIR/metrics", func(p *peer) string {
			status, _, _ := strings.Cut(p.over("metrics", "GET", "/x"), " ")
			return status
		}, false},
	}
}

// untimed takes the times out of a route or a table, and sorts its keys.
func untimed(answer string) string {
	status, body, _ := strings.Cut(answer, " ")
	body = regexp.MustCompile(`"last_activity":"[^"]*"`).ReplaceAllString(body, `"last_activity":"T"`)
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return answer
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		return answer
	}
	return status + " " + string(sorted)
}

// metricNames are those that are not of the language or of ours alone, with their types and quantiles.
func metricNames(text string) string {
	foreign := regexp.MustCompile(`^(nodejs_|go_|jupyterhub_|promhttp_|process_(virtual_memory_max|network)_)`)
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		if !foreign.MatchString(m[1]) {
			names = append(names, m[1]+" "+m[2])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(\S+{quantile="\S+"}) `).FindAllStringSubmatch(text, -1) {
		if !foreign.MatchString(m[1]) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// metric is the value of one line; 0 when it is not there.
func metric(text, name string) (value float64) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			fmt.Sscan(rest, &value)
		}
	}
	return value
}
