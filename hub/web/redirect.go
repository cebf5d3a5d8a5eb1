package web

import (
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub/auth"
)

// root answers GET /hub/.
func (room *Room) root(w http.ResponseWriter, r *http.Request) error {
	a := auth.FromContext(r.Context())
	if a.User == nil {
		return redirect(w, http.StatusFound, withNext(room.hub+"login", r.URL.RequestURI()))
	}
	return redirect(w, http.StatusFound, room.Porter.Next(r, room.landing(a.User.Name)))
}

// addSlash answers the address of a directory without its slash.
func (room *Room) addSlash(w http.ResponseWriter, r *http.Request) error {
	return redirect(w, http.StatusMovedPermanently, local(r.URL.EscapedPath()+"/")+query(r))
}

// intoHub sends what belongs to no running server into the hub, at the hub's host, where the login cookie is sent along.
func (room *Room) intoHub(w http.ResponseWriter, r *http.Request) error {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), room.BaseURL)
	return redirect(w, http.StatusFound, room.Hosts.Hub()+room.hub+strings.TrimLeft(rest, "/")+query(r))
}

// userRedirect answers GET /hub/user-redirect/PATH: a link for everybody that leads each to their own server.
func (room *Room) userRedirect(w http.ResponseWriter, r *http.Request) error {
	u, err := me(r)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(r.URL.EscapedPath(), "/user-redirect/")
	next := room.BaseURL + "user/" + url.PathEscape(u.Name) + "/"
	if room.DefaultServerName != "" {
		next += room.DefaultServerName + "/"
	}
	next += strings.TrimLeft(rest, "/") + query(r)
	return redirect(w, http.StatusFound, withNext(room.path("spawn", u.Name, room.DefaultServerName), next))
}

// logout answers GET /hub/logout.
func (room *Room) logout(w http.ResponseWriter, r *http.Request) error {
	a := auth.FromContext(r.Context())
	if room.ShutdownOnLogout && a.User != nil && a.Session != nil {
		for _, live := range room.Workshop.Servers(a.User.Name) {
			if !live.State.Active() {
				continue
			}
			if _, err := room.Workshop.Stop(r.Context(), live.ServerRef); err != nil {
				return err
			}
		}
	}
	if err := room.Porter.Logout(w, r); err != nil {
		return err
	}
	return redirect(w, http.StatusFound, room.hub+"login")
}

func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// local makes sure that a path is one: a second slash at its beginning would name another host.
func local(path string) string { return "/" + strings.TrimLeft(path, "/") }
