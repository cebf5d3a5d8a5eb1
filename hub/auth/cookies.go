package auth

import (
	"net/http"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// The cookies (specification 3.6). All of ours are SameSite=Lax: upstream sets nothing, which browsers take for Lax with
// exceptions. Strict would not do: the browser comes back from an OAuth login elsewhere, or from a link in a mail, by a
// navigation that another site began, and must be known then; Lax sends cookies with exactly these and with no form, frame or
// fetch of another site.
const (
	cookieLogin   = "jupyterhub-hub-login"  // opens a session; never reaches a user's server: Path, and the proxy takes it out
	cookieSession = "jupyterhub-session-id" // names a session for single-user servers; opens nothing
	cookieXSRF    = "_xsrf"                 // read by pages' scripts
	cookieParlour = "jupyterhub-hub-answer" // ties a login conversation of several steps to its browser
	cookieLegacy  = "jupyterhub-services"   // of hubs before 3.2; only ever removed

	hostPrefix = "__Host-"
)

// loginName is the login cookie's name. With the prefix browsers accept it over TLS alone, for the whole host, and from us
// alone, so it must lie on the path "/" (RFC 6265bis section 4.1.3.2).
func (p *Porter) loginName() (name, path string) {
	if p.o.CookieHostPrefix {
		return hostPrefix + cookieLogin, "/"
	}
	return cookieLogin, p.hubURL
}

// maxPlanted is more than a browser keeps for one host: only a program sends as many cookies of one name, to cost us time.
const maxPlanted = 200

// sessionsOf returns the sessions that a browser brings. Any page of this host, a user server's too, can plant a login cookie
// beside ours, on a longer path to be the first of them: what opens nothing is passed over.
func (p *Porter) sessionsOf(tx *store.Tx, r *http.Request) (brought []hub.Session, err error) {
	name, _ := p.loginName()
	for i, c := range r.CookiesNamed(name) {
		if i == maxPlanted {
			break
		}
		s, err := tx.SessionByCookie(c.Value)
		if err == nil {
			brought = append(brought, s)
		} else if hub.KindOf(err) != hub.NotFound {
			return nil, err
		}
	}
	return brought, nil
}

func (p *Porter) setLoginCookie(w http.ResponseWriter, v *Visit, value string, until time.Time) {
	name, path := p.loginName()
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: path, HttpOnly: true, Secure: p.secure(v) || p.o.CookieHostPrefix,
		SameSite: http.SameSiteLaxMode, Expires: until})
}

// setSessionCookie names the session to all hosts: servers forget their visitors by it.
func (p *Porter) setSessionCookie(w http.ResponseWriter, v *Visit, id string) {
	http.SetCookie(w, &http.Cookie{Name: cookieSession, Value: id, Path: p.o.BaseURL, Domain: p.o.Hosts.Domain(), HttpOnly: true, Secure: p.secure(v),
		SameSite: http.SameSiteLaxMode})
}

// keepSessionCookie gives a logged-in browser its session id back if it lost it or has another's.
func (p *Porter) keepSessionCookie(w http.ResponseWriter, r *http.Request, a Actor) {
	if a.Session == nil {
		return
	}
	if c, err := r.Cookie(cookieSession); err != nil || c.Value != a.Session.ID {
		p.setSessionCookie(w, visitOf(r), a.Session.ID)
	}
}

// clearCookies takes from a browser everything that a login gave it.
func (p *Porter) clearCookies(w http.ResponseWriter, v *Visit) {
	name, path := p.loginName()
	p.clearCookie(w, v, name, path)
	p.clearCookie(w, v, cookieSession, p.o.BaseURL)
	p.clearCookie(w, v, cookieXSRF, p.hubURL)
	p.clearCookie(w, v, cookieLegacy, p.o.BaseURL+"services")
}

func (p *Porter) clearCookie(w http.ResponseWriter, v *Visit, name, path string) {
	c := &http.Cookie{Name: name, Path: path, HttpOnly: true, Secure: p.secure(v) || path == "/" && p.o.CookieHostPrefix,
		SameSite: http.SameSiteLaxMode, MaxAge: -1, Expires: time.Unix(1, 0)}
	if name == cookieSession {
		c.Domain = p.o.Hosts.Domain()
	}
	http.SetCookie(w, c)
}
