package httpd

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/hub/auth"
)

// Deed is a request that changed something, or tried to, as the audit log keeps it. There is no secret in it: of a path only
// names and ids, and nothing of query and body.
type Deed struct {
	Who     string   // "user alice", "service culler"; "" for somebody whom the hub does not know
	Via     string   // token, cookie, peer, password
	Token   string   // "a5": the token's id, when Via is token
	What    string   // "POST /hub/api/users/{user}/server"
	On      []string // "user alice", "server lab", "token a7": what the path names, and what the room says it is about
	From    string   // the browser's or program's address
	Status  int
	Request string // the id in the request's log line and in its answer
}

// noted are the wildcards of patterns that say on whom something is done. What a path holds beside them stays out: it may be a
// secret, or as long as a stranger likes.
var noted = []string{"user", "server", "group", "service", "owner", "id"}

// audit tells what a request did. What programs send all day by themselves, a server's activity and a browser's reports, is no
// deed; a stranger's request that was refused is not either, or strangers could fill the log.
func (h *Hall) audit(v *visit, r *http.Request, status int) {
	if h.deeds == nil || v.row == nil || !changes(v.row.Route, r.Method) || v.quiet() || strings.HasSuffix(v.label, "/csp-report") {
		return
	}
	if by := auth.Vouched(v.request); !by.Anonymous() {
		v.actor, v.who = by, whoIs(by)
	}
	d := Deed{Who: v.who, Via: proofs[v.actor.Via], What: methodLabel(r.Method) + " " + v.label, From: v.client, Status: status, Request: v.id}
	if v.actor.Token != nil {
		d.Token = "a" + strconv.FormatUint(v.actor.Token.ID, 10)
	}
	for i, name := range v.row.params {
		if slices.Contains(noted, name) && i < len(v.values) && v.values[i] != "" {
			d.On = append(d.On, kindOf(name)+" "+short(v.values[i]))
		}
	}
	d.On = append(d.On, auth.Concerned(v.request)...)
	if d.Who == "" && status >= http.StatusBadRequest {
		return
	}
	h.deeds(d)
}

// kindOf is a wildcard in the words of the log.
func kindOf(name string) string {
	switch name {
	case "owner":
		return "user"
	case "id":
		return "token"
	}
	return name
}

// proofs are the words for what an actor is known by.
var proofs = map[auth.Proof]string{auth.Cookie: "cookie", auth.Token: "token", auth.Peer: "peer", auth.Typed: "password"}

func changes(rt auth.Route, method string) bool {
	return rt.Changes || method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}
