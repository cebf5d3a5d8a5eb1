package auth

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"jupyterhubd/hub"
)

// What browsers say of a request, each value there is, none, and one that a later browser may say.
var (
	fetchModes = []string{"", "navigate", "nested-navigate", "same-origin", "no-cors", "cors", "websocket", "something-new"}
	fetchSites = []string{"", "same-origin", "same-site", "cross-site", "none", "something-new"}
	fetchDests = []string{"", "document", "iframe", "empty", "image", "script", "worker", "websocket", "something-new"}
)

// mustRepeat is the rule, as JupyterHub 6.1.1 has it (jupyterhub/_xsrf_utils.py, _needs_check_xsrf, and apihandlers/base.py): which requests of
// a logged-in browser have to repeat the token. What is asked for (Dest) does not count. At one point it is stricter: JupyterHub lets any
// method pass that comes with Mode websocket, which no browser sends with another than GET.
func mustRepeat(s Style, method, mode, site string) bool {
	reads := slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method)
	switch {
	case !reads:
		return true
	case s != API, method != "GET":
		return false
	case mode == "", mode == "navigate", mode == "websocket":
		return false
	case mode == "no-cors" && site == "same-origin":
		return false
	}
	return true
}

// Vulnerability: cross-site request forgery, by a way of asking that was forgotten (CVE-2026-40864: no-cors; CVE-2020-36191).
// Attack: a page has alice's browser ask, in every mode, from every site, for every destination, with every method, at the API, at pages and
// at those that are both; without a token, with rubbish, with mallory's own, with one from before alice's login, and with mallory's planted
// as a cookie as well.
// Verified: what has to repeat the token passes with alice's own alone, and everything else passes; who shows an API token is never asked.
func TestForgery(t *testing.T) {
	h := newHouse(t, noon())
	alice, mallory := h.browser("192.0.2.7"), h.browser("192.0.2.7")
	before := body(alice.get("/hub/login"))
	wantLogin(t, alice.login("alice", "wonderland"))
	wantLogin(t, mallory.login("mallory", "malice"))
	type proof struct {
		name, value, planted string
		good                 bool
	}
	proofs := []proof{{name: "none"}, {name: "rubbish", value: "AAAA"}, {name: "her own", value: alice.xsrf(), good: true}, {name: "his", value: mallory.xsrf()},
		{name: "one from before", value: before}, {name: "his, planted", value: mallory.xsrf(), planted: mallory.xsrf()}, {name: "her own beside his", value: alice.xsrf(), planted: mallory.xsrf(), good: true}}
	rows := map[Style]http.Handler{}
	for _, s := range []Style{API, Page, Mixed} {
		guarded := h.Guard(Route{Scopes: []string{Authenticated}, Style: s, Handle: func(http.ResponseWriter, *http.Request) error { return nil }})
		rows[s] = h.Browser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := guarded(w, r); err != nil {
				w.Header().Set("X-Kind", hub.KindOf(err).String())
				w.WriteHeader(http.StatusForbidden)
			}
		}))
	}
	token := h.token("alice", "inherit")
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
		for _, mode := range fetchModes {
			for _, site := range fetchSites {
				for _, dest := range fetchDests {
					for _, p := range proofs {
						r := httptest.NewRequest(method, "/hub/x", nil)
						for name, value := range map[string]string{"Sec-Fetch-Mode": mode, "Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest, "X-XSRFToken": p.value, "X-Forwarded-For": "192.0.2.7"} {
							if value != "" {
								r.Header.Set(name, value)
							}
						}
						if p.planted != "" {
							r.AddCookie(&http.Cookie{Name: cookieXSRF, Value: p.planted})
						}
						for _, c := range alice.cookies {
							if p.name != "his, planted" || c.Name != cookieXSRF {
								r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
							}
						}
						for style, row := range rows {
							w := httptest.NewRecorder()
							row.ServeHTTP(w, r)
							if passes := w.Code == http.StatusOK; passes != (p.good || !mustRepeat(style, method, mode, site)) {
								t.Fatalf("style %d, %s, mode %q, site %q, dest %q, token: %s: passes is %v (%s)", style, method, mode, site, dest, p.name, passes, w.Header().Get("X-Kind"))
							}
						}
					}
				}
				r := httptest.NewRequest(method, "/hub/x", nil)
				r.Header = http.Header{"Authorization": {"token " + token}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Site": {site}}
				w := httptest.NewRecorder()
				if rows[API].ServeHTTP(w, r); w.Code != http.StatusOK {
					t.Fatalf("%s, mode %q, site %q with an API token: %d", method, mode, site, w.Code)
				}
			}
		}
	}
}
