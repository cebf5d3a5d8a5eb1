package auth

import (
	"net/http"
	"strings"

	"jupyterhubd/hub"
)

// checkOrigin refuses what a page of another host has a browser do, where users have hosts below the hub's. To a browser these are
// one site: it sends the hub's cookies along with whatever a user's page asks of the hub, SameSite or not. The page can neither read the
// answer nor know the XSRF token of whoever looks at it. But while nobody is logged in it can have one of its own, and so log a visitor
// in as its owner; and what a GET does needs none. So nothing that changes something is done for such a page, unless it leads the
// whole window there.
func (p *Porter) checkOrigin(r *http.Request, rt Route, a Actor) error {
	v := visitOf(r)
	if !p.o.Hosts.Apart() || v.door != browserDoor || a.Via == Token || !foreign(r, v.Origin()) {
		return nil
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if reads && (!rt.Changes || leads(r)) {
		return nil
	}
	return hub.Errorf(hub.Forbidden, "A page of another host asked for this. Go to %s and do it there.", p.o.Hosts.Hub())
}

// foreign reports whether a browser says that a page of another origin is behind a request. Browsers say it to hosts with https, in
// Sec-Fetch-Site; elsewhere Origin tells, of everything that is no GET.
func foreign(r *http.Request, own string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		return origin != "" && !strings.EqualFold(origin, own)
	}
	return true
}

// leads reports whether a request is for what the window will show, and not for something inside a page.
func leads(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return navigates(r) && (dest == "" || dest == "document")
}

// sendToHub sends a browser that asks for a page at a host of a user's or a service's to the same page at the hub's.
func (p *Porter) sendToHub(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return hub.Errorf(hub.NotFound, "The hub is at %s", p.o.Hosts.Hub())
	}
	w.Header().Set("Location", p.o.Hosts.Hub()+r.URL.RequestURI())
	w.WriteHeader(http.StatusFound)
	return nil
}
