package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// stopped is the error of a request for a server that does not run. RenderError makes the page out of it, the hall the
// JSON.
type stopped struct {
	error
	ref   hub.ServerRef
	next  string // the page that was asked for
	cause *hub.Cause
}

func (s stopped) Unwrap() error { return s.error }

// notRunning answers GET /hub/user/U/…: the proxy has no route for that server (specification 4.4).
func (room *Room) notRunning(w http.ResponseWriter, r *http.Request) error {
	ref, err := room.serverAt(r)
	if err != nil {
		return err
	}
	live, err := room.Workshop.Server(ref)
	if err != nil {
		return err
	}
	asked := room.BaseURL + strings.TrimPrefix(r.URL.EscapedPath(), room.hub) + query(r)
	switch {
	case live.State.Ready():
		return room.bounce(w, r, room.Hosts.User(ref.User)+asked)
	case auth.WantsJSON(r):
		return room.stopped(r, live, asked)
	case live.State.Pending() != "" || live.State == hub.Failed:
		return redirect(w, http.StatusSeeOther, withNext(room.toPending(ref), asked))
	}
	return room.stopped(r, live, asked)
}

// serverAt finds which server a path below /hub/user/ is for: the first segment is a named server's if there is such a one.
// Whoever may not enter it is told that there is none.
func (room *Room) serverAt(r *http.Request) (hub.ServerRef, error) {
	ref := hub.ServerRef{User: r.PathValue("user")}
	a := auth.FromContext(r.Context())
	first, _, _ := strings.Cut(r.PathValue("rest"), "/")
	if first != "" && room.NamedServers {
		named := hub.ServerRef{User: ref.User, Server: first}
		if _, err := room.Workshop.Server(named); err == nil {
			ref = named
		}
	}
	if !a.May("access:servers", rbac.ServerResource(ref)) {
		return ref, hub.Errorf(hub.NotFound, "Not Found")
	}
	return ref, nil
}

func (room *Room) stopped(r *http.Request, live hub.Live, asked string) error {
	err := hub.Errorf(hub.NotRunning, "JupyterHub server no longer running at %s. Restart the server at %s%s",
		r.URL.Path, auth.VisitOf(r).Origin(), room.toSpawn(live.ServerRef))
	return stopped{err, live.ServerRef, asked, live.Failure}
}

// notRunningAPI answers what is no GET: a page of a server that is gone saves a file or asks its kernel.
func (room *Room) notRunningAPI(_ http.ResponseWriter, r *http.Request) error {
	ref := hub.ServerRef{User: r.PathValue("user")}
	return room.stopped(r, hub.Live{Server: hub.Server{ServerRef: ref}}, "")
}

// maxBounces is how often a browser is sent back to a server that runs and that the proxy does not know yet.
const maxBounces = 4

// bounce sends the browser back to a running server, each time after a longer while.
func (room *Room) bounce(w http.ResponseWriter, r *http.Request, asked string) error {
	n, _ := strconv.Atoi(r.URL.Query().Get("redirects")) // anything else is the first time
	if n >= maxBounces {
		return hub.Errorf(hub.Unavailable, "The server runs, but the proxy does not lead to it. Please tell the administrator.")
	}
	if n > 0 {
		wait := time.NewTimer(min(time.Second<<n, 10*time.Second))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	address, query, _ := strings.Cut(asked, "?")
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return pair == "" || strings.HasPrefix(pair, "redirects=") })
	return redirect(w, http.StatusFound, address+"?"+strings.Join(append(kept, "redirects="+strconv.Itoa(max(n, 0)+1)), "&"))
}
