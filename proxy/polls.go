package proxy

import (
	"errors"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// An open page of JupyterLab or Notebook asks its server every few seconds what runs there and what its folder holds, whether
// somebody looks at it or not. That is no use of the server: it neither keeps one awake nor wakes one that sleeps.

// polled is what pages ask for by themselves, again and again, below a server's address.
var polled = map[string]bool{
	"/api/kernels":        true,
	"/api/kernelspecs":    true,
	"/api/me":             true,
	"/api/metrics/v1":     true, // jupyter-resource-usage
	"/api/sessions":       true,
	"/api/status":         true,
	"/api/terminals":      true,
	"/lab/api/workspaces": true,
}

// folders is where pages ask for what a folder holds, and for files.
const folders = "/api/contents"

// workspace is where JupyterLab saves how its window is arranged, also when nothing of that has changed: whoever arranges it has a
// hand at it.
const workspace = "/lab/api/workspaces/"

// untracked tells a Jupyter server, too, that a request is no activity (jupyter_server.base.handlers, APIHandler). What it counts
// it reports to the hub.
const untracked = "no_track_activity=1"

// errAsleep is what a poll of a server that sleeps ends with.
var errAsleep = errors.New("the server sleeps")

// sleeping is the answer to it. JupyterLab asks less often then, and says nothing; at 424 and 503 it would tell its user that the
// server is gone.
var sleeping = problem{Status: http.StatusConflict, Title: "The server sleeps",
	Text: "The server sleeps. What a page asks for by itself does not wake it; whatever its user does in the page will.", plain: true}

// isPoll reports whether a request is one that an open page of the server's makes by itself. Other programs that ask for the same
// are somebody's doing.
func (p *Proxy) isPoll(ps *passage) bool {
	if p.options.CountPolls || ps.route == nil || ps.route.about.User == "" || wantsWebSocket(ps.in) {
		return false
	}
	what := ps.route.below(ps.place)
	switch ps.in.Method {
	case http.MethodPut:
		return strings.HasPrefix(what, workspace) && fromPage(ps)
	case http.MethodGet:
		folder := isUnder(what, folders)
		return (folder || polled[what]) && ps.in.ContentLength == 0 && fromPage(ps) && (!folder || asksAgain(ps, what))
	}
	return false
}

func isUnder(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

// fromPage reports whether the script of a page of the same server makes a request.
func fromPage(ps *passage) bool {
	page, err := url.Parse(ps.in.Header.Get("Referer"))
	if err != nil || !strings.HasPrefix(page.Path, ps.route.prefix+"/") {
		return false
	}
	kind := ps.in.Header.Get("Sec-Fetch-Dest") // which browsers send to secure origins alone
	return kind == "" || kind == "empty"
}

// asksAgain reports whether a page has asked for that before: whoever opens another folder is there.
func asksAgain(ps *passage, what string) bool {
	return ps.route.up.listed.again(ps.in.Header.Get("Referer"), what+"?"+timeless(ps.query))
}

// timeless is a query without the moment that JupyterLab puts at its end to get around caches.
func timeless(query string) string {
	last := strings.LastIndexByte(query, '&') + 1
	if strings.Trim(query[last:], "0123456789") == "" {
		return query[:last]
	}
	return query
}

// pagesKept is of how many pages of one server it is remembered what they asked for.
const pagesKept = 8

// listings remembers which folder each of the last pages has asked for, as two hashes: who asks for the same again is a page that
// keeps itself up to date.
type listings struct {
	mu   sync.Mutex // guards last
	last []listing  // the one that asked last at the end
}

type listing struct{ page, what uint64 }

// again notes what a page asks for and reports whether that is what it asked for before.
func (l *listings) again(page, what string) bool {
	now := listing{hashOf(page), hashOf(what)}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, before := range l.last {
		if before.page == now.page {
			l.last = append(append(l.last[:i], l.last[i+1:]...), now)
			return before.what == now.what
		}
	}
	if len(l.last) == pagesKept {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, now)
	return false
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
