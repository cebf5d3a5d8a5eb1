package api_test

import (
	"net/http"
	"net/url"
	"strings"

	"pgregory.net/rapid"
)

// stranger is somebody who asks: with a token in a header or in the address, where it opens nothing; with a browser's cookies; or as nobody.
type stranger struct {
	token     string
	inAddress bool
	cookies   string
	xsrf      string
}

// show puts what a stranger has into a request.
func (s stranger) show(r *http.Request) {
	switch {
	case s.inAddress:
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&token="+s.token, "&")
	case s.token != "":
		r.Header.Set("Authorization", "token "+s.token)
	}
	if s.cookies != "" {
		r.Header["Cookie"] = append([]string{s.cookies}, r.Header["Cookie"]...)
	}
	if s.xsrf != "" {
		r.Header.Set("X-XSRFToken", s.xsrf)
	}
}

// atBrowser logs somebody in; xsrf is whether their page's scripts ask, or any other's.
func (w *world) atBrowser(user string, xsrf bool) stranger {
	w.t.Helper()
	cookie, session := w.session(user)
	token := w.xsrf(cookie, session)
	s := stranger{cookies: "jupyterhub-hub-login=" + cookie + "; jupyterhub-session-id=" + session + "; _xsrf=" + token}
	if xsrf {
		s.xsrf = token
	}
	return s
}

// someHeaders are fields that strangers send, and what they put there. Content-Length stands for a body whose length nobody says.
var someHeaders = [][]string{
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

func drawHeader(t *rapid.T) (header [][2]string) {
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		field := rapid.SampledFrom(someHeaders).Draw(t, "field")
		header = append(header, [2]string{field[0], rapid.SampledFrom(field[1:]).Draw(t, "value")})
	}
	return header
}

// finds fails unless an admin finds each of the private things somewhere: where none is, none can be missed.
func (w *world) finds(admin stranger) {
	w.t.Helper()
	a, found := w.actorOf(admin), map[string]bool{}
	for i, row := range w.room.Routes() {
		for _, user := range []string{"", "zelda"} {
			if row.Method != http.MethodGet {
				continue
			}
			q := request{row: i, values: [6]string{user}, query: url.Values{"include_stopped_servers": {""}}.Encode()}
			got := q.send(w, admin)
			w.judge(w.t, q, a, got)
			for _, s := range secrets {
				if strings.Contains(got.body, s.text) {
					found[s.text] = true
				}
			}
		}
	}
	for _, s := range secrets {
		if !found[s.text] {
			w.t.Errorf("not even an admin finds %s: nobody would be seen to read it", s.text)
		}
	}
}
