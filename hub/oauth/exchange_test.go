package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

func s256(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestPKCE(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		challenge []string
		verifier  string
		status    int
		err       any
	}{
		"S256":              {[]string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}, verifier, 200, nil},
		"plain":             {[]string{"code_challenge", verifier, "code_challenge_method", "plain"}, verifier, 200, nil},
		"plain by default":  {[]string{"code_challenge", verifier}, verifier, 200, nil},
		"none":              {nil, "-", 200, nil},
		"wrong":             {[]string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}, "x" + verifier, 400, "invalid_grant"},
		"challenge as such": {[]string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}, s256(verifier), 400, "invalid_grant"},
		"missing":           {[]string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}, "-", 400, "invalid_request"},
	} {
		status, body := w.exchange(w.code("alice", server("alice", c.challenge...)), "code_verifier", c.verifier)
		if status != c.status || body["error"] != c.err {
			t.Errorf("%s: %d %v, want %d %v", name, status, body, c.status, c.err)
		}
	}
}

// Vulnerability: PKCE that is checked only if a challenge was kept (RFC 9700, 4.8.2).
// Attack: mallory sends alice's browser to authorize without the challenge that her server's client would have sent, and slips
// the code into her login.
// Verified: her server, which sends its verifier, gets no token for it.
func TestPKCECannotBeTakenOut(t *testing.T) {
	w := newWorld(t)
	if status, body := w.exchange(w.code("alice", server("alice")), "code_verifier", verifier); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("%d %v, want 400 invalid_grant", status, body)
	}
}

// A failed exchange burns nothing (specification 9.15); a good one burns the code.
func TestCodesAreBurnedByAGoodExchangeAlone(t *testing.T) {
	w := newWorld(t)
	code := w.code("alice", server("alice", "code_challenge", verifier))
	for name, c := range map[string]struct {
		more   []string
		status int
		err    string
	}{
		"wrong secret":       {[]string{"client_secret", "x"}, 401, "invalid_client"},
		"no secret":          {[]string{"client_secret", "-"}, 401, "invalid_client"},
		"unknown client":     {[]string{"client_id", "eve"}, 401, "invalid_client"},
		"no client":          {[]string{"client_id", "-"}, 401, "invalid_client"},
		"another client":     {[]string{"client_id", "jupyterhub-user-bob", "redirect_uri", "-"}, 400, "invalid_grant"},
		"wrong redirect":     {[]string{"redirect_uri", "/user/bob/oauth_callback"}, 400, "invalid_request"},
		"wrong verifier":     {[]string{"code_verifier", "x"}, 400, "invalid_grant"},
		"missing verifier":   {[]string{"code_verifier", "-"}, 400, "invalid_request"},
		"no code":            {[]string{"code", "-"}, 400, "invalid_request"},
		"unknown code":       {[]string{"code", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, 400, "invalid_grant"},
		"no grant type":      {[]string{"grant_type", "-"}, 400, "unsupported_grant_type"},
		"password grant":     {[]string{"grant_type", "password"}, 400, "unsupported_grant_type"},
		"client credentials": {[]string{"grant_type", "client_credentials"}, 400, "unsupported_grant_type"},
		"refresh token":      {[]string{"grant_type", "refresh_token"}, 400, "invalid_request"},
	} {
		status, body := w.exchange(code, append([]string{"code_verifier", verifier}, c.more...)...)
		if status != c.status || body["error"] != c.err || body["access_token"] != nil {
			t.Errorf("%s: %d %v, want %d %s", name, status, body, c.status, c.err)
		}
	}
	if status, body := w.exchange(code, "code_verifier", verifier); status != 200 {
		t.Errorf("a failed exchange burned the code: %d %v", status, body)
	}
	if status, body := w.exchange(code, "code_verifier", verifier); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("a code is good twice: %d %v", status, body)
	}
}

func TestCodesExpire(t *testing.T) {
	w := newWorld(t)
	code := w.code("alice", server("alice"))
	w.now = w.now.Add(5*time.Minute + time.Second)
	if status, body := w.exchange(code); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("%d %v", status, body)
	}
}

// Vulnerability: a session that was ended went on through tokens (GHSA-cw7p).
// Attack: alice logs out while a code is on its way, and after the token was given out.
// Verified: the code is no good, the token is revoked; and so it is when her server stops.
func TestLogoutEndsWhatTheSessionBegan(t *testing.T) {
	w := newWorld(t)
	session := w.login("alice")
	late, token := w.code("alice", server("alice")), ""
	if _, body := w.exchange(w.code("alice", server("alice"))); body["access_token"] != nil {
		token = body["access_token"].(string)
	}
	w.update(func(tx *store.Tx) error { return tx.DeleteSession(session) })
	if status, body := w.exchange(late); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("late code: %d %v", status, body)
	}
	w.gone(token)
	w.login("alice")
	_, body := w.exchange(w.code("alice", server("alice")))
	w.update(func(tx *store.Tx) error { return tx.DeleteClient("jupyterhub-user-alice") })
	w.gone(body["access_token"].(string))
}

func (w *world) gone(token string) {
	w.t.Helper()
	if err := w.store.View(func(tx *store.Tx) error { _, err := tx.TokenByValue(token); return err }); hub.KindOf(err) != hub.NotFound {
		w.t.Errorf("the token is still good: %v", err)
	}
}

// The token endpoint is for servers: a page's script is refused, credentials elsewhere than in the body do not count.
func TestTokenEndpointIsForServers(t *testing.T) {
	w := newWorld(t)
	code := w.code("alice", server("alice"))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"jupyterhub-user-alice"}, "client_secret": {secret}}
	send := func(target, body, kind string, change func(*http.Request)) (int, string) {
		r := httptest.NewRequest("POST", target, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		change(r)
		rec := httptest.NewRecorder()
		w.door.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	urlencoded, none := "application/x-www-form-urlencoded", func(*http.Request) {}
	basic := url.Values{"grant_type": {"authorization_code"}, "code": {code}}
	for name, got := range map[string]func() (int, string){
		"403 ": func() (int, string) {
			return send("/hub/api/oauth2/token", form.Encode(), urlencoded, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
		},
		"401 invalid_client": func() (int, string) {
			return send("/hub/api/oauth2/token", basic.Encode(), urlencoded, func(r *http.Request) { r.SetBasicAuth("jupyterhub-user-alice", secret) })
		},
		"400 unsupported_grant_type": func() (int, string) {
			return send("/hub/api/oauth2/token", `{"grant_type":"authorization_code"}`, "application/json", none)
		},
		"400 unsupported_grant_type in the query": func() (int, string) { return send("/hub/api/oauth2/token?"+form.Encode(), "", urlencoded, none) },
		"400 invalid_request":                     func() (int, string) { return send("/hub/api/oauth2/token", form.Encode()+"&code=x", urlencoded, none) },
	} {
		want := strings.Fields(name)
		status, body := got()
		if fmt.Sprint(status) != want[0] || len(want) > 1 && !strings.Contains(body, want[1]) {
			t.Errorf("want %s: %d %s", name, status, body)
		}
	}
	if status, _ := w.exchange(code); status != 200 {
		t.Errorf("the code was burned: %d", status)
	}
}

func FuzzAuthorize(f *testing.F) {
	for _, seed := range []string{
		"", server("alice").Encode(), wiki("scope", "list:users inherit").Encode(), "client_id=jupyterhub-user-alice&redirect_uri=//evil.example&response_type=code",
		"client_id=jupyterhub-user-alice&client_id=x", "client_id=jupyterhub-user-alice&response_type=code&state=%0d%0aSet-Cookie:x", "client_id=%00", "%zz", "a;b",
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/hub/api/oauth2/authorize", nil)
		r.URL.RawQuery = query
		rec := w.visit("alice", r)
		to := rec.Header().Get("Location")
		ours := strings.HasPrefix(to, "/user/alice/oauth_callback?") || strings.HasPrefix(to, "https://wiki.example/cb?tenant=1&")
		if to != "" && !ours || strings.ContainsAny(to, "\r\n") {
			t.Errorf("%q leads to %q", query, to)
		}
		if rec.Code >= 500 {
			t.Errorf("%q: %d", query, rec.Code)
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{"", "grant_type=authorization_code&code=x&client_id=jupyterhub-user-alice&client_secret=" + secret, "grant_type=%zz", "code=a&code=b", "grant_type=authorization_code&code=%00"} {
		f.Add(seed)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/hub/api/oauth2/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.tokens.ServeHTTP(rec, r)
		if rec.Code != 400 && rec.Code != 401 {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}
