package api_test

import (
	"net/http"
	"net/url"
	"strings"
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
