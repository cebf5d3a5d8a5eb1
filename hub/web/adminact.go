package web

import (
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// administer answers POST /hub/admin. What is refused is told on the page, with what was typed.
func (room *Room) administer(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	q, err := url.ParseQuery(r.PostForm.Get("query"))
	if err != nil {
		q = nil // the first page
	}
	if r.PostForm.Get("action") == "shutdown" {
		return room.endHub(w, r)
	}
	if err := room.adminAction(r); err != nil {
		if status, frame, ok := mendable(r, err); ok {
			return room.showAdmin(w, r, status, q, frame)
		}
		return err
	}
	to := room.hub + "admin"
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	return redirect(w, http.StatusSeeOther, to)
}

func (room *Room) adminAction(r *http.Request) error {
	a, user := auth.FromContext(r.Context()), r.PostForm.Get("user")
	auth.Concern(r, "action "+r.PostForm.Get("action"))
	switch action := r.PostForm.Get("action"); action {
	case "add":
		admin := r.PostForm.Get("admin") != ""
		if err := a.Authorize([]string{"admin:users"}, rbac.Resource{}); err != nil {
			return err
		}
		made, err := room.Directory.AddUsers(a, lines(r.PostForm.Get("usernames")), admin)
		for _, u := range made {
			auth.Concern(r, "user "+u.Name)
		}
		return err
	case "start-shown":
		return room.startShown(r, r.PostForm["shown"])
	case "stop-all":
		if err := a.Authorize([]string{"delete:servers"}, rbac.Resource{}); err != nil {
			return err
		}
		_, err := room.Workshop.StopAll(r.Context())
		return err
	default:
		return room.userAction(r, user, action)
	}
}

// userAction does what a button says that is about one user, or a server of theirs.
func (room *Room) userAction(r *http.Request, user, action string) error {
	a := auth.FromContext(r.Context())
	switch action {
	case "remove":
		auth.Concern(r, "user "+user)
		if err := a.Authorize([]string{"delete:users"}, rbac.UserResource(user)); err != nil {
			return err
		}
		return room.Directory.RemoveUser(r.Context(), a, user)
	case "promote", "demote":
		auth.Concern(r, "user "+user)
		if err := a.Authorize([]string{"admin:users"}, rbac.UserResource(user)); err != nil {
			return err
		}
		return room.Directory.SetAdmin(a, user, action == "promote")
	}
	return room.act(r, hub.ServerRef{User: user, Server: r.PostForm.Get("server")}, action)
}

// startShown starts the default servers of users. It waits for none of them; one that cannot be started keeps no other from it.
func (room *Room) startShown(r *http.Request, users []string) error {
	if len(users) > mostRows {
		return hub.Errorf(hub.Invalid, "At most %d servers are started at once", mostRows)
	}
	a := auth.FromContext(r.Context())
	var mistakes []string
	for _, user := range users {
		ref := hub.ServerRef{User: user}
		auth.Concern(r, "server "+ref.String())
		err := a.Authorize([]string{"start:servers"}, rbac.ServerResource(ref))
		if err == nil {
			_, err = room.Workshop.Start(r.Context(), ref, "", nil)
		}
		if text := hub.TextOf(err); err != nil && hub.KindOf(err) != hub.Conflict {
			if text == "" {
				return err
			}
			mistakes = append(mistakes, user+": "+text)
		}
	}
	if len(mistakes) > 0 {
		return hub.Errorf(hub.Invalid, "Not all servers were started. %s", strings.Join(mistakes, "; "))
	}
	return nil
}

// endHub ends the hub's process, which systemd starts again.
func (room *Room) endHub(w http.ResponseWriter, r *http.Request) error {
	servers := r.PostForm.Get("servers") != ""
	auth.Concern(r, "action shutdown")
	if servers {
		auth.Concern(r, "all servers")
	}
	if err := auth.FromContext(r.Context()).Authorize([]string{"shutdown"}, rbac.Resource{}); err != nil {
		return err
	}
	if room.Shutdown == nil {
		return hub.Errorf(hub.Invalid, "This hub cannot be ended from here")
	}
	p := noticePage{Layout: room.bare(r, "The hub restarts"), Next: room.hub + "admin"}
	p.Messages = []string{"The hub ends now, and systemd starts it again. What people have open in their servers goes on."}
	if servers {
		p.Messages = []string{"The hub stops all servers and ends. Then systemd starts it again."}
	}
	p.Refresh, p.Onwards = 5, p.Next
	room.Shutdown(servers)
	return room.show(w, http.StatusAccepted, "notice", p)
}

// lines splits a field of names, one a line: a name may hold spaces.
func lines(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if name := strings.TrimSpace(line); name != "" {
			names = append(names, name)
		}
	}
	return names
}
