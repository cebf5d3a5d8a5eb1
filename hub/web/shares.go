package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// shares answers GET /hub/shares: what one shares, and what others share with one.
func (room *Room) shares(w http.ResponseWriter, r *http.Request) error {
	return room.showShares(w, r, http.StatusOK, sharesPage{})
}

// changeShares answers POST /hub/shares, and shows afterwards what was looked at before. What is refused is told on the page, with what was typed.
func (room *Room) changeShares(w http.ResponseWriter, r *http.Request) error {
	u, err := me(r)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	f := r.PostForm
	auth.Concern(r, "action "+f.Get("action"))
	switch f.Get("action") {
	case "share":
		err = room.shareByName(r, u.Name)
	case "link":
		link, err := room.shareByLink(r, u.Name)
		if err == nil {
			return room.showShares(w, r, http.StatusOK, sharesPage{Made: link})
		}
		return room.refusedShare(w, r, err)
	case "unshare":
		if err = room.mayShare(r, ownServer(r, u.Name)); err == nil {
			_, _, err = room.Directory.Unshare(hub.Share{Server: ownServer(r, u.Name), User: f.Get("user"), Group: f.Get("group")})
		}
	case "revoke":
		if err = room.mayShare(r, ownServer(r, u.Name)); err == nil {
			err = room.Directory.RevokeShareCode(ownServer(r, u.Name), f.Get("id"))
		}
	case "leave":
		err = room.leaveShare(r, u.Name)
	default:
		err = hub.Errorf(hub.Invalid, "There is no button %q", f.Get("action"))
	}
	if err != nil {
		return room.refusedShare(w, r, err)
	}
	return redirect(w, http.StatusSeeOther, lookOf(r, room.hub+"shares").at("", 0))
}

// ownServer is the server that a form of the page is about: one of the actor's own.
func ownServer(r *http.Request, user string) hub.ServerRef {
	return hub.ServerRef{User: user, Server: r.PostForm.Get("server")}
}

// mayShare is what the API's rows for shares ask.
func (room *Room) mayShare(r *http.Request, ref hub.ServerRef) error {
	auth.Concern(r, "server "+ref.String())
	return auth.FromContext(r.Context()).Authorize([]string{"shares"}, rbac.ServerResource(ref))
}

func (room *Room) shareByName(r *http.Request, user string) error {
	wish := hub.Share{Server: ownServer(r, user), Scopes: sharedRights(r.PostForm)}
	if err := room.mayShare(r, wish.Server); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	switch {
	case name == "":
		return hub.Errorf(hub.Invalid, "Whom is it to be shared with? The name is missing")
	case r.PostForm.Get("kind") == "group":
		wish.Group = name
	default:
		wish.User = name
	}
	auth.Concern(r, "with "+name)
	_, err := room.Directory.Share(auth.FromContext(r.Context()), wish)
	return err
}

// shareByLink makes a code, and returns the address that is to be given to others.
func (room *Room) shareByLink(r *http.Request, user string) (string, error) {
	ref := ownServer(r, user)
	if err := room.mayShare(r, ref); err != nil {
		return "", err
	}
	seconds, err := strconv.ParseInt(r.PostForm.Get("expires_in"), 10, 32)
	if err != nil {
		return "", hub.Errorf(hub.Invalid, "How long is the link to be good?")
	}
	value, _, err := room.Directory.NewShareCode(auth.FromContext(r.Context()), ref, sharedRights(r.PostForm), time.Duration(seconds)*time.Second)
	if err != nil {
		return "", err
	}
	return auth.VisitOf(r).Origin() + room.hub + "accept-share?code=" + url.QueryEscape(value), nil
}

// leaveShare gives up what somebody shares with the actor. What a group has is not one member's to give up.
func (room *Room) leaveShare(r *http.Request, user string) error {
	ref := hub.ServerRef{User: r.PostForm.Get("owner"), Server: r.PostForm.Get("server")}
	auth.Concern(r, "server "+ref.String())
	if err := auth.FromContext(r.Context()).Authorize([]string{"users:shares"}, rbac.UserResource(user)); err != nil {
		return err
	}
	return room.Directory.LeaveShare(ref, user, "")
}

// refusedShare shows the page again with what is wrong, where that is something that a person can mend.
func (room *Room) refusedShare(w http.ResponseWriter, r *http.Request, err error) error {
	status, mendable := refusals[hub.KindOf(err)]
	if !mendable || hub.TextOf(err) == "" {
		return err
	}
	return room.showShares(w, r, status, sharesPage{Refused: hub.TextOf(err), Asked: r.PostForm})
}
