package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/hosts"
)

// withHosts gives users hosts below the hub's.
func withHosts(address string) func(*Options) {
	return func(o *Options) {
		all, err := hosts.New(address, hosts.IDNA)
		if err != nil {
			panic(err)
		}
		o.Hosts, o.PublicURL, o.CookieHostPrefix = all, all.Hub()+"/", all.Secure()
	}
}

// plant puts a cookie into a browser as a page of mallory's would, for the whole domain.
func (b *browser) plant(name, path, value string) {
	b.cookies[path+" planted "+name+fmt.Sprint(len(b.cookies))] = &http.Cookie{Name: name, Value: value, Path: path}
}

// The hub's own cookies stay at its host, where no page of a user's can plant them; the one that names the session goes to all hosts.
func TestCookiesOfSeveralHosts(t *testing.T) {
	h := newHouse(t, noon(), withHosts("https://hub.example"))
	b := h.browser("192.0.2.7")
	res := b.login("alice", "wonderland")
	wantLogin(t, res)
	var got []string
	for _, c := range append(res.Cookies(), b.get("/hub/logout").Cookies()...) {
		got = append(got, fmt.Sprintf("%s Path=%s Domain=%s %v", c.Name, c.Path, c.Domain, c.MaxAge < 0))
	}
	slices.Sort(got)
	want := []string{
		"__Host-jupyterhub-hub-login Path=/ Domain= false", "__Host-jupyterhub-hub-login Path=/ Domain= true",
		"_xsrf Path=/hub/ Domain= false", "_xsrf Path=/hub/ Domain= true", "jupyterhub-hub-answer Path=/hub/login Domain= true",
		"jupyterhub-services Path=/services Domain= true",
		"jupyterhub-session-id Path=/ Domain=hub.example false", "jupyterhub-session-id Path=/ Domain=hub.example true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Play (cookie tossing between hosts): a page at mallory's host sets cookies for the domain that her host and the hub's are below.
// Attack: the login cookie of her own session, while alice is logged in and while nobody is; more tokens against forgery than
// anybody looks through, before alice's own; the cookie of a conversation of hers.
// Verified: alice stays herself, a stranger stays one, and both can do what they came for.
func TestCookiesTossedFromAnotherHost(t *testing.T) {
	h := newHouse(t, noon(), withHosts("https://hub.example"))
	alice, mallory := h.browser("192.0.2.7"), h.browser("192.0.2.8")
	wantLogin(t, mallory.login("mallory", "malice"))
	his := mallory.cookies["/ "+hostPrefix+cookieLogin].Value
	for _, path := range []string{"/", "/hub/", "/hub/home"} {
		alice.plant(cookieLogin, path, his) // a name with __Host- no browser takes for a domain
	}
	for i := range 150 {
		alice.plant(cookieXSRF, "/hub/login", mallory.xsrf()+fmt.Sprint(i))
		alice.plant(cookieParlour, "/hub/login", fmt.Sprint(i))
	}
	wantKind(t, alice.get("/hub/home"), hub.Unauthenticated)
	wantLogin(t, alice.login("alice", "wonderland"))
	if got := body(alice.get("/hub/home")); got != "alice" {
		t.Errorf("at home is %q", got)
	}

	h.door.accounts["alice"].code = "123456"
	res := alice.login("alice", "wonderland")
	if got := body(res); got != "Code:" {
		t.Fatalf("after the password: %q", got)
	}
	wantLogin(t, alice.answer(res, "123456"))
}

// Play (login forgery between hosts): to a browser mallory's host and the hub's are one site, so that SameSite keeps nothing back, and
// a stranger's token against forgery is bound to an address and a program that mallory may share.
// Attack: mallory, at the same address with the same browser, fetches a login form, plants its token for the domain, and has her
// page post the form with her own password in the browser of somebody who is not logged in.
// Verified: whether the browser says so by Sec-Fetch-Site or by Origin alone, nobody is logged in; the same form from the hub's own
// page works.
func TestLoginForgedFromAnotherHost(t *testing.T) {
	for _, address := range []string{"https://hub.example", "http://hub.example:8000"} {
		h := newHouse(t, noon(), withHosts(address))
		mallory, victim := h.browser("192.0.2.7"), h.browser("192.0.2.7")
		token := body(mallory.get("/hub/login"))
		form := url.Values{"username": {"mallory"}, "password": {"malice"}, "_xsrf": {token}}
		for _, says := range [][]string{
			{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", h.o.Hosts.User("mallory")},
			{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Origin", h.o.Hosts.User("mallory")},
			{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Origin", "null"},
			{"Sec-Fetch-Site", "something-new"},
			{"Origin", h.o.Hosts.User("mallory")},
			{"Origin", "null"},
		} {
			victim.plant(cookieXSRF, "/hub/", token)
			res := victim.send("POST", "/hub/login", form, says...)
			wantKind(t, res, hub.Forbidden)
			if len(res.Cookies()) > 0 {
				t.Errorf("%v: the victim gets %v", says, res.Cookies())
			}
		}
		for _, says := range [][]string{{"Sec-Fetch-Site", "same-origin", "Origin", h.o.Hosts.Hub()}, {"Origin", h.o.Hosts.Hub()}, {}} {
			victim = h.browser("192.0.2.7")
			form.Set("_xsrf", body(victim.get("/hub/login")))
			wantLogin(t, victim.send("POST", "/hub/login", form, says...))
		}
	}
}

// Play (forgery between hosts by GET): what a GET does needs no token, and a page inside mallory's can ask for it.
// Attack: a picture, a frame and a script of mallory's page whose address is the hub's logout.
// Verified: alice stays logged in. A link that the whole window follows logs her out, as her own server's does.
func TestLogoutForgedFromAnotherHost(t *testing.T) {
	h := newHouse(t, noon(), withHosts("https://hub.example"))
	alice := h.browser("192.0.2.7")
	wantLogin(t, alice.login("alice", "wonderland"))
	for _, inside := range [][]string{
		{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"},
	} {
		wantKind(t, alice.get("/hub/logout", append(inside, "Sec-Fetch-Site", "same-site")...), hub.Forbidden)
	}
	if got := body(alice.get("/hub/home")); got != "alice" {
		t.Fatalf("at home is %q", got)
	}
	alice.get("/hub/logout", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	wantKind(t, alice.get("/hub/home"), hub.Unauthenticated)
}

// Play (a user's host as the hub's): what has no route at mallory's host is the hub's to answer, and mallory's pages there can set any
// cookie, and read every answer.
// Attack: alice's browser has a login cookie at mallory's host, and asks there for pages and for the API.
// Verified: pages lead to the hub's host, cookies count nowhere, tokens do, and what is the hub's to say at every host knows nobody.
func TestTheHubAtAUsersHost(t *testing.T) {
	h := newHouse(t, noon(), withHosts("https://hub.example"))
	alice := h.browser("192.0.2.7")
	wantLogin(t, alice.login("alice", "wonderland"))
	alice.origin = h.o.Hosts.User("mallory")
	for _, address := range []string{"/hub/home", "/hub/login?next=%2Fhub%2Fhome", "/hub/user/alice"} {
		if res := alice.get(address); res.StatusCode != http.StatusFound || res.Header.Get("Location") != "https://hub.example"+address {
			t.Errorf("%s: %d %s", address, res.StatusCode, res.Header.Get("Location"))
		}
	}
	wantKind(t, alice.send("POST", "/hub/login", url.Values{"username": {"alice"}}), hub.NotFound)
	wantKind(t, alice.get("/hub/api/user"), hub.Unauthenticated)
	if got := body(alice.get("/user/alice/")); got != "" {
		t.Errorf("at every host it is %q", got)
	}
	if got := body(alice.get("/hub/api/user", "Authorization", "token "+h.token("alice", "inherit"))); got != "alice" {
		t.Errorf("a token is %q's", got)
	}

	alice.origin = h.o.Hosts.Hub()
	for claim, want := range map[string]string{"Host": "alice", "X-Forwarded-Host": "", "Forwarded": "alice"} {
		// The proxy takes away what a browser says of its host; what it says itself counts.
		got := body(alice.get("/hub/api/user", claim, map[string]string{"Host": "mallory.hub.example", "X-Forwarded-Host": "mallory.hub.example",
			"Forwarded": "host=mallory.hub.example"}[claim]))
		if (got == "alice") != (want == "alice") {
			t.Errorf("with %s it is %q", claim, got)
		}
	}
}

// Vulnerability: an open redirect to a host that looks like one of ours. Attack: next= names hosts beside, above and below ours. Verified: an
// address at a host of a user's or a service's is one of ours, of which the path is left; every other leads to the default.
func TestNextAtSeveralHosts(t *testing.T) {
	h := newHouse(t, noon(), withHosts("https://hub.example:8443"))
	for raw, want := range map[string]string{
		"https://alice.hub.example:8443/user/alice/lab?a=b#c": "/user/alice/lab?a=b#c", "//alice.hub.example:8443/x": "/x", "http://ALICE.hub.example:8443": "/",
		"https://hub.example:8443/hub/home": "/hub/home", "https://one--service.hub.example:8443//evil.example": "/evil.example", "/hub/home": "/hub/home",
		"https://alice.hub.example/x": "", "https://evilhub.example:8443/x": "", "https://hub.example:8443.evil.example/": "", "ftp://alice.hub.example:8443/x": "",
		"https://alice.hub.example:8443@evil.example/": "", "https://evil@alice.hub.example:8443/": "", "javascript://alice.hub.example:8443/%0aalert(1)": "",
		`https://evil.example\.hub.example:8443/`: "", "https://evil.example#.hub.example:8443/": "", "https:alice.hub.example:8443/": "", "//.hub.example:8443": "/",
	} {
		if got, ok := Next("https://hub.example:8443", h.o.Hosts, raw); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", raw, got, ok, want)
		}
	}
}
