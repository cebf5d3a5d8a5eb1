package proxy

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func newProxy(t *testing.T, o Options) *Proxy {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ofUser is the data of a user's route.
func ofUser(target, user string) map[string]json.RawMessage {
	return map[string]json.RawMessage{"target": quoted(target), "user": quoted(user)}
}

// resting is an answer whose connection can be left unread.
type resting struct {
	*httptest.ResponseRecorder
	rest time.Duration
}

func (r *resting) Pause(d time.Duration) { r.rest = d }

// refusedFrom is a request that somebody at an address makes.
func refusedFrom(t *testing.T, p *Proxy, addr, version string) *passage {
	t.Helper()
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), entranceKey, entrance{remote: netip.MustParseAddr(addr)}), "GET", "/user/mallory/", nil)
	r.Proto, r.ProtoMajor = version, int(version[5]-'0')
	ps, problem := p.read(r)
	if problem != nil {
		t.Fatal(problem)
	}
	return ps
}

// Vulnerability: refusals are cheap, but a program that asks again at once has the processor with nothing but refusals.
// Attack: Mallory's programs ask without a pause, over thousands of connections.
// Verified: each is told at once, and then not heard for as long as it was told, one after another; a proxy in front, which brings
// everybody's requests, is heard on.
func TestWhoIsRefusedIsNotHeardForAWhile(t *testing.T) {
	p := newProxy(t, Options{})
	if err := p.Apply(Settings{Trusted: trust{prefix("192.0.2.0/24")}}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var rs refusals
		for i := range 3 {
			w := &resting{ResponseRecorder: httptest.NewRecorder()}
			p.keepOut(w, refusedFrom(t, p, "203.0.113.9", "HTTP/1.1"), "user", &rs)
			if w.Code != 503 || w.Header().Get("Retry-After") != "1" || w.rest != patience+time.Duration(i)*betweenAgain {
				t.Errorf("the %d. is told %d %s and rests %s", i+1, w.Code, w.Header(), w.rest)
			}
		}
		rs.due = time.Now().Add(time.Hour)
		if got := rs.pause(time.Now()); got != longestPause {
			t.Errorf("whoever comes after a great many rests %s", got)
		}
		for _, front := range []string{"192.0.2.7", "127.0.0.1"} {
			w, ps := &resting{ResponseRecorder: httptest.NewRecorder()}, refusedFrom(t, p, front, "HTTP/1.1")
			ps.in.Header["X-Forwarded-For"] = []string{"203.0.113.9"}
			if p.keepOut(w, ps, "user", &rs); w.Code != 503 || w.rest != 0 {
				t.Errorf("the proxy at %s is told %d and rests %s", front, w.Code, w.rest)
			}
		}
	})
}

// Over HTTP/2 it is the stream that stays, of which a client has so many. When many do, the connection ends.
func TestRefusedStreamsAreHeld(t *testing.T) {
	p := newProxy(t, Options{})
	synctest.Test(t, func(t *testing.T) {
		var rs refusals
		began, w := time.Now(), httptest.NewRecorder()
		if p.keepOut(w, refusedFrom(t, p, "203.0.113.9", "HTTP/2.0"), "user", &rs); time.Since(began) != patience || !w.Flushed || w.Code != 503 {
			t.Errorf("told %d, sent at once: %v, and held for %s", w.Code, w.Flushed, time.Since(began))
		}
		for range mostHeld {
			go p.keepOut(httptest.NewRecorder(), refusedFrom(t, p, "203.0.113.9", "HTTP/2.0"), "user", &rs)
		}
		synctest.Wait()
		began, w = time.Now(), httptest.NewRecorder()
		p.keepOut(w, refusedFrom(t, p, "203.0.113.9", "HTTP/2.0"), "user", &rs)
		if time.Since(began) != 0 || w.Code != http.StatusServiceUnavailable || w.Header().Get("Connection") != "close" {
			t.Errorf("beside %d the next one is held for %s: %d %s", mostHeld, time.Since(began), w.Code, w.Header())
		}
	})
}
