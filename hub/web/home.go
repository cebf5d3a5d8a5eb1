package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

type homePage struct {
	Layout
	Default      hub.Live
	Named        []hub.Live
	NamedServers bool
	Visits       []hub.Visit // others in one's servers
	Used         []usedRow   // of the machine in the last days, the last one first
	Shared       []takenRow  // what others share with one, as far as there is room
	Most         int         // named servers that one may have; 0: as many as one likes
	Refused      string      // why there is no new server
	Typed        string      // for its name
}

// homeShares is how many shared servers the home page shows; the page of shares has them all.
const homeShares = 8

// home answers GET /hub/home: one's own servers.
func (room *Room) home(w http.ResponseWriter, r *http.Request) error {
	return room.showHome(w, r, http.StatusOK, homePage{})
}

func (room *Room) showHome(w http.ResponseWriter, r *http.Request, status int, p homePage) error {
	u, err := me(r)
	if err != nil {
		return err
	}
	p.NamedServers, p.Most, p.Visits = room.NamedServers, room.NamedServerLimit, u.Visits
	if p.Default, p.Named, err = room.serversOf(u.Name); err != nil {
		return err
	}
	shared, err := room.sharedWith(r, u)
	if err != nil {
		return err
	}
	p.Shared = room.takenRows(r, shared[:min(len(shared), homeShares)])
	if p.Used, err = room.usedBy(u.Name); err != nil {
		return err
	}
	p.Layout = room.layout(w, r, "home", "Home")
	if p.Refused == "" && slices.ContainsFunc(append(p.Named[:len(p.Named):len(p.Named)], p.Default), func(l hub.Live) bool { return l.State.Pending() != "" }) {
		p.Refresh = 5
	}
	return room.show(w, status, "home", p)
}

// usedRow is what somebody's servers used in a day.
type usedRow struct {
	Day                  string
	CPU, Memory, Servers float64 // hours, GiB hours, hours
}

// usedDays is for how many days the home page tells what was used.
const usedDays = 14

// usedBy returns what a user's servers used in the last days, in those days in which they did.
func (room *Room) usedBy(user string) (rows []usedRow, err error) {
	first := room.Now().Local().AddDate(0, 0, 1-usedDays).Format(hub.DayFormat)
	err = room.Store.View(func(tx *store.Tx) error {
		days, err := tx.Usage(user, first, "")
		for _, d := range slices.Backward(days) {
			rows = append(rows, usedRow{d.Day, d.CPUSeconds / 3600, d.MemoryHours, d.ServerHours})
		}
		return err
	})
	return rows, err
}

// serversOf returns a user's default server, running or not, and the named ones in the order of their names.
func (room *Room) serversOf(user string) (def hub.Live, named []hub.Live, err error) {
	if def, err = room.Workshop.Server(hub.ServerRef{User: user}); err != nil {
		return def, nil, err
	}
	for _, live := range room.Workshop.Servers(user) {
		if live.Server.Server != "" {
			named = append(named, live)
		}
	}
	slices.SortFunc(named, func(a, b hub.Live) int { return strings.Compare(a.Server.Server, b.Server.Server) })
	return def, named, nil
}

// changeServer answers POST /hub/home: start, stop or remove one of one's own servers.
func (room *Room) changeServer(w http.ResponseWriter, r *http.Request) error {
	u, err := me(r)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	switch r.PostForm.Get("action") {
	case "seen":
		return room.seenVisits(w, u.Name)
	case "add":
		return room.addServer(w, r, u.Name)
	}
	ref := hub.ServerRef{User: u.Name, Server: r.PostForm.Get("server")}
	if err := room.act(r, ref, r.PostForm.Get("action")); err != nil {
		return err
	}
	if r.PostForm.Get("action") == "start" {
		return redirect(w, http.StatusSeeOther, room.toPending(ref))
	}
	return redirect(w, http.StatusSeeOther, room.hub+"home")
}

// seenVisits puts away what the home page told of visits.
func (room *Room) seenVisits(w http.ResponseWriter, user string) error {
	err := room.Store.Update(func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err == nil {
			u.Visits = nil
			_, err = tx.PutUser(u)
		}
		return err
	})
	if err != nil {
		return err
	}
	return redirect(w, http.StatusSeeOther, room.hub+"home")
}

// settle is how long a form waits for what it asked for, so that most pages show the outcome and not the way to it.
const settle = time.Second

// act does to a server what a form's button says, if the actor may.
func (room *Room) act(r *http.Request, ref hub.ServerRef, action string) error {
	auth.Concern(r, action, "server "+ref.String())
	scope, known := map[string]string{"start": "start:servers", "stop": "delete:servers", "delete": "delete:servers"}[action]
	if !known {
		return hub.Errorf(hub.Invalid, "There is no button %q", action)
	}
	if err := auth.FromContext(r.Context()).Authorize([]string{scope}, rbac.ServerResource(ref)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), settle)
	defer cancel()
	switch action {
	case "start":
		return room.start(ctx, ref, "", nil)
	case "delete":
		if ref.Server == "" {
			return hub.Errorf(hub.Invalid, "The default server can be stopped but not deleted")
		}
		return late(ctx, room.Workshop.Remove(ctx, ref))
	}
	if _, err := room.Workshop.Stop(r.Context(), ref); err != nil {
		return err
	}
	_, _ = room.Workshop.Wait(ctx, ref) // how it ended is seen on the page, ignoring
	return nil
}

// late forgives that a thing takes longer than the page waits; it goes on.
func late(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return nil
	}
	return err
}

// parseForm reads a posted form. Its size was bounded by the hall.
func parseForm(r *http.Request) error {
	err := r.ParseMultipartForm(1 << 20)
	if err == http.ErrNotMultipart {
		err = nil
	}
	if err != nil {
		return hub.Errorf(hub.Invalid, "The form cannot be read: %w", err)
	}
	return nil
}
