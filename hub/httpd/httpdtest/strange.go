package httpdtest

import (
	"net/http"
	"strings"

	"pgregory.net/rapid"
)

// Field is a line of a request's head.
type Field struct{ Name, Value string }

// Strange are fields that strangers send, each with what they put there. Content-Length stands for a body whose length nobody says.
var Strange = [][]string{
	{"Accept", "*/*", "application/jupyterhub-pagination+json", "text/event-stream", "text/html;q=0.1", ",;=,", strings.Repeat("a/b,", 2000)},
	{"Accept-Encoding", "gzip", "br;q=1, *;q=0", "\x00"},
	{"Content-Type", "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "application/json; charset=utf-16", ";", ""},
	{"Content-Length", "unknown"},
	{"Cookie", "jupyterhub-hub-login=x", "_xsrf=x; _xsrf=y", "jupyterhub-session-id=", ";;;=", "\xff", strings.Repeat("_xsrf=x; ", 500)},
	{"Origin", "null", "https://evil.example", "http://hub", "://"},
	{"Referer", "https://evil.example/?token=x", "http://hub/hub/home", "%"},
	{"Sec-Fetch-Mode", "cors", "no-cors", "navigate", "websocket", "x"},
	{"Sec-Fetch-Site", "cross-site", "same-origin", "same-site", "none", "x"},
	{"Sec-Fetch-Dest", "document", "image", "empty", "x"},
	{"X-Forwarded-For", "203.0.113.9", "not an address", "::1%eth0", "1.2.3.4, 5.6.7.8", ",", strings.Repeat("1.1.1.1,", 1000)},
	{"X-Forwarded-Proto", "https", "wss", "javascript", ""},
	{"X-Forwarded-Host", "evil.example", "hub:99999", "a b", "[::1]:1", "\"><script>"},
	{"X-Forwarded-Port", "-1", "65536"},
	{"Forwarded", "for=_x;proto=https;host=evil.example", "for=\"", ";;,=", "host=\"a\\\"b\""},
	{"X-Scheme", "https", "x"},
	{"X-Request-Id", "mine", strings.Repeat("x", 5000), "a\rb"},
	{"Host", "evil.example", "", "alice.hub", "hub:0", "[", "a b"},
	{"If-None-Match", "*", "W/\"x\"", "\"", ",", strings.Repeat("\"x\",", 2000)},
	{"If-Modified-Since", "Tue, 24 Nov 2026 12:00:00 GMT", "yesterday"},
	{"Range", "bytes=0-0", "bytes=-1", "bytes=9-1,0-", "x"},
	{"Last-Event-Id", "5", "x"},
	{"X-Xsrftoken", "x"},
	{"X-Http-Method-Override", "DELETE"},
	{"Authorization", "Basic YWxpY2U6eA==", "token", "Bearer x y", "token\xa0x"},
	{"Expect", "100-continue", "x"},
	{"Upgrade", "websocket"},
	{"Te", "trailers"},
}

// Draw makes up a few fields.
func Draw(t *rapid.T) (head []Field) {
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		field := rapid.SampledFrom(Strange).Draw(t, "field")
		head = append(head, Field{field[0], rapid.SampledFrom(field[1:]).Draw(t, "value")})
	}
	return head
}

// Put adds fields to a request.
func Put(r *http.Request, head []Field) {
	for _, f := range head {
		switch f.Name {
		case "Host":
			r.Host = f.Value
		case "Content-Length":
			r.ContentLength = -1
		default:
			r.Header.Add(f.Name, f.Value)
		}
	}
}
