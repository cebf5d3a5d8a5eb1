package web

import (
	"net/http"
	"net/url"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// pendingPage shows how a start goes.
type pendingPage struct {
	Layout
	Ref         hub.ServerRef
	Own         bool
	ProgressURL string // the event stream, with the token that it wants
	State       hub.State
}

// stoppingPage waits for a stop.
type stoppingPage struct {
	Layout
	Ref hub.ServerRef
	Own bool
}

// notRunningPage is about a server that does not run, and why.
type notRunningPage struct {
	Layout
	Ref      hub.ServerRef
	Own      bool
	SpawnURL string // with next=
	Rescue   string // starts the rescue server; "" where that would be of no help
	Cause    *hub.Cause
}

// pending answers GET /hub/spawn-pending/U[/S]. It never starts or stops anything.
func (room *Room) pending(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	live, err := room.Workshop.Server(ref)
	if err != nil {
		return err
	}
	own := ref.User == auth.FromContext(r.Context()).Owner.Name
	switch {
	case live.State.Ready():
		next, ok := room.Porter.Asked(r, r.URL.Query().Get("next"))
		if !ok {
			next = live.URL
		}
		return redirect(w, http.StatusFound, next)
	case live.State.Pending() == "spawn":
		p := pendingPage{Layout: room.layout(w, r, "spawn-pending", "Your server is starting"), Ref: ref, Own: own, State: live.State}
		p.ProgressURL = room.progress(ref) + "?_xsrf=" + url.QueryEscape(p.XSRF)
		p.Scripts = append(p.Scripts, "progress.js")
		return room.show(w, http.StatusOK, "pending", p)
	case live.State.Pending() == "stop":
		p := stoppingPage{room.layout(w, r, "spawn-pending", "Your server is stopping"), ref, own}
		p.Refresh = 5
		return room.show(w, http.StatusOK, "stopping", p)
	case live.State == hub.Failed:
		return room.showNotRunning(w, r, http.StatusInternalServerError, ref, live.Failure)
	}
	return room.showNotRunning(w, r, http.StatusOK, ref, nil)
}

// progress is the API's event stream of a start.
func (room *Room) progress(ref hub.ServerRef) string {
	user := room.hub + "api/users/" + url.PathEscape(ref.User)
	if ref.Server == "" {
		return user + "/server/progress"
	}
	return user + "/servers/" + url.PathEscape(ref.Server) + "/progress"
}

// rescuable are the causes that lie in the home directory, or may.
var rescuable = map[hub.CauseKind]bool{hub.CauseFullHome: true, hub.CauseOwnConfig: true, hub.CauseExited: true}

// refreshOf returns after how many seconds a page with a cause is loaded again: soon, while more of it is to come.
func refreshOf(c *hub.Cause) int {
	if c.Partial {
		return 1
	}
	return 0
}

func (room *Room) showNotRunning(w http.ResponseWriter, r *http.Request, status int, ref hub.ServerRef, cause *hub.Cause) error {
	p := notRunningPage{Layout: room.bare(r, "Your server is not running"), Ref: ref, Cause: cause}
	if cause != nil {
		p.Title = "Your server did not start"
		p.Refresh = refreshOf(cause)
	}
	next, _ := room.Porter.Asked(r, r.URL.Query().Get("next"))
	p.SpawnURL = withNext(room.toSpawn(ref), next)
	if cause != nil && rescuable[cause.Kind] {
		p.Rescue = room.toSpawn(ref) + "?opt-profile=" + hub.RescueProfile
	}
	p.Own = ref.User == auth.FromContext(r.Context()).Owner.Name
	return room.show(w, status, "not-running", p)
}
