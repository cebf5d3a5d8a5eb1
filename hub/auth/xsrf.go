package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// An XSRF token is a random part, the time of its making and an HMAC over both and over whom it is for (specification 3.7):
// a logged-in browser's session, or a stranger's address and program. The same value is the cookie and what a request
// repeats. A page of another origin can read neither; a page of a user's server, which is of our origin and can plant
// cookies, has no token that is bound to the victim.
const (
	xsrfRandom = 16
	xsrfHead   = xsrfRandom + 8
	xsrfLife   = 31 * 24 * time.Hour
	// xsrfAnonymous is how long a stranger's cookie is kept: a login form that is older is answered by a fresh one.
	xsrfAnonymous = time.Hour
)

// XSRF returns the token that a page's forms and scripts must repeat, and sets the cookie where the page is a navigation's.
// fresh makes a new one in any case, as the login page does.
func (p *Porter) XSRF(w http.ResponseWriter, r *http.Request, fresh bool) string {
	actor := FromContext(r.Context())
	token := p.xsrfCookie(r, actor)
	if token != "" && !fresh {
		return token
	}
	token = p.mintXSRF(binding(r, actor))
	if navigates(r) {
		p.setXSRFCookie(w, visitOf(r), token, actor.Session != nil)
	}
	return token
}

// navigates reports whether a request loads a page, as far as the browser says so.
func navigates(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "" || mode == "navigate"
}

func (p *Porter) setXSRFCookie(w http.ResponseWriter, v *Visit, token string, known bool) {
	c := &http.Cookie{Name: cookieXSRF, Value: token, Path: p.hubURL, Secure: p.secure(v), SameSite: http.SameSiteLaxMode}
	if !known {
		c.MaxAge = int(xsrfAnonymous.Seconds())
	}
	http.SetCookie(w, c)
}

// binding is whom a token is for.
func binding(r *http.Request, a Actor) string {
	if a.Session != nil {
		return "session\x00" + a.Session.ID + "\x00" + a.Session.User
	}
	return "stranger\x00" + addressOf(visitOf(r).Address) + "\x00" + r.UserAgent()
}

func (p *Porter) mintXSRF(binding string) string {
	head := make([]byte, xsrfRandom, xsrfHead+sha256.Size)
	rand.Read(head) //nolint:errcheck // crypto/rand never fails since Go 1.24
	head = binary.BigEndian.AppendUint64(head, uint64(p.o.Now().Unix()))
	return base64.RawURLEncoding.EncodeToString(append(head, p.seal(head, binding)...))
}

func (p *Porter) seal(head []byte, binding string) []byte {
	mac := hmac.New(sha256.New, p.key)
	mac.Write(head)
	mac.Write([]byte(binding))
	return mac.Sum(nil)
}

// goodXSRF reports whether we made a token, not too long ago, for whom it is presented by.
func (p *Porter) goodXSRF(token, binding string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != xsrfHead+sha256.Size {
		return false
	}
	head, seal := raw[:xsrfHead], raw[xsrfHead:]
	age := p.o.Now().Sub(time.Unix(int64(binary.BigEndian.Uint64(head[xsrfRandom:])), 0))
	return hmac.Equal(seal, p.seal(head, binding)) && age <= xsrfLife && age > -time.Minute
}

// xsrfCookie returns the first good one of possibly several cookies: every single-user server sets one on its own path, and
// browsers send those that fit.
func (p *Porter) xsrfCookie(r *http.Request, a Actor) string {
	who := binding(r, a)
	for i, c := range r.CookiesNamed(cookieXSRF) {
		if i == maxPlanted {
			break
		}
		if p.goodXSRF(c.Value, who) {
			return c.Value
		}
	}
	return ""
}

// CheckXSRF is for handlers of rows with NoXSRF that check at a moment of their own: the login form, which answers with
// itself. style is the row's.
func (p *Porter) CheckXSRF(r *http.Request, style Style) error {
	return p.checkXSRF(r, style, FromContext(r.Context()))
}

func (p *Porter) checkXSRF(r *http.Request, style Style, a Actor) error {
	if !xsrfApplies(r, style, a) {
		return nil
	}
	got := submittedXSRF(r)
	if got == "" {
		return hub.Errorf(hub.Forbidden, "'_xsrf' argument missing from %s", r.Method)
	}
	want := p.xsrfCookie(r, a)
	if want == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return hub.Errorf(hub.Forbidden, "XSRF cookie does not match %s argument", r.Method)
	}
	return nil
}

// xsrfApplies is the table of specification 3.7: which requests must repeat the token.
func xsrfApplies(r *http.Request, style Style, a Actor) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	switch {
	case a.Via == Token, a.Via == Peer:
		return false // no browser sends these by itself
	case style != API:
		return !reads
	case r.Method == http.MethodHead, r.Method == http.MethodOptions:
		return false
	case a.Anonymous():
		return r.Header.Get("Origin") != ""
	case r.Method == http.MethodGet:
		return fetched(r)
	}
	return true
}

// fetched reports whether a script asks for something that it could read. A stylesheet or an image of our own origin cannot
// be read as JSON; one of another origin must not even be asked for (CVE-2026-40864).
func fetched(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Mode") {
	case "", "navigate", "websocket":
		return false
	case "no-cors":
		return r.Header.Get("Sec-Fetch-Site") != "same-origin"
	}
	return true
}

// submittedXSRF returns the token that a request repeats: in a header, in its address, or in its form. A form's body is
// parsed for it, within the limit that the hall set.
func submittedXSRF(r *http.Request) string {
	for _, name := range []string{"X-Xsrftoken", "X-Csrftoken"} {
		if token := r.Header.Get(name); token != "" {
			return token
		}
	}
	if token := r.URL.Query().Get("_xsrf"); token != "" {
		return token
	}
	if kind := r.Header.Get("Content-Type"); !strings.Contains(kind, "form") || r.Method == http.MethodGet {
		return ""
	}
	return r.PostFormValue("_xsrf")
}
