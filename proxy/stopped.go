package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// notRunning answers for a user's server that no route leads to, as the hub would, and without it: the tabs of a whole class
// ask on after their servers were stopped. It reports false for every other path, and for a table that is not our hub's.
//
// Nobody is asked whether there is such a user, so the answer is the same for all names. Programs get 424, at which JupyterLab
// stops asking. People are sent into the hub, where their login counts: whether the server is starting, failed or stopped is
// the hub's to tell. Nothing of this is activity. At the hub's own host, where no servers are, that is for the hub to answer.
func (p *Proxy) notRunning(w http.ResponseWriter, ps *passage) bool {
	if p.options.HubBase == "" || ps.route != nil && !ps.route.isHub() || p.atHub(ps.in.Host) {
		return false
	}
	rest, ok := strings.CutPrefix(ps.place.decoded, p.options.HubBase+"user/")
	user, below, slash := strings.Cut(rest, "/")
	if !ok || user == "" || ps.place.plain < strings.Count(p.options.HubBase, "/")+1 { // an encoded slash in front or in the name
		return false
	}
	p.metrics.web.Inc()
	reading := ps.in.Method == http.MethodGet || ps.in.Method == http.MethodHead
	switch {
	case !reading || wantsWebSocket(ps.in) || slices.Contains(strings.Split(below, "/"), "api") || prefersJSON(ps.in.Header["Accept"]):
		p.answerStopped(w, ps, user)
	case !slash:
		p.redirect(w, http.StatusMovedPermanently, ps.place.raw+"/", ps)
	default:
		p.redirect(w, http.StatusFound, p.options.HubOrigin+p.options.HubBase+"hub/"+strings.TrimPrefix(ps.place.raw, p.options.HubBase), ps)
	}
	return true
}

// answerStopped says what JupyterHub says of a server that does not run.
func (p *Proxy) answerStopped(w http.ResponseWriter, ps *passage, user string) {
	p.metrics.proxied(http.StatusFailedDependency)
	if wantsWebSocket(ps.in) {
		w.Header()["Connection"] = []string{"close"}
	}
	w.Header()["Cache-Control"] = []string{"no-store"}
	spawn := cmp.Or(p.options.HubOrigin, ps.client.proto+"://"+ps.client.host) + p.options.HubBase + "hub/spawn/" + escapeSegment(user)
	writeJSON(w, http.StatusFailedDependency, map[string]string{
		"message": fmt.Sprintf("JupyterHub server no longer running at %s. Restart the server at %s", ps.place.decoded, spawn)})
}

// atHub reports whether a Host is the hub's own, among several.
func (p *Proxy) atHub(host string) bool {
	return p.options.HubOrigin != "" && hostKey(host) == p.hubHost()
}

// hubHost is the hub's host among several.
func (p *Proxy) hubHost() string {
	_, host, _ := strings.Cut(p.options.HubOrigin, "://")
	return hostKey(host)
}

// redirect leads to a path of this host, or to a whole address, with the query that came.
func (p *Proxy) redirect(w http.ResponseWriter, status int, to string, ps *passage) {
	p.metrics.proxied(status)
	if ps.query != "" {
		to += "?" + ps.query
	}
	w.Header()["Location"] = []string{to}
	w.Header()["Content-Length"] = []string{"0"}
	w.WriteHeader(status)
}

// escapeSegment spells a name as JupyterHub does in its addresses.
func escapeSegment(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; isUnreserved(c) || c == '@' {
			b.WriteByte(c)
		} else {
			b.WriteString(escaped(c))
		}
	}
	return b.String()
}

// prefersJSON reports whether an Accept wants JSON more than HTML. Wildcards are a browser's.
func prefersJSON(accept []string) bool {
	return quality(accept, "application/json") > quality(accept, "text/html")
}

// quality is how much of a media type an Accept wants (RFC 9110 12.5.1).
func quality(accept []string, kind string) float64 {
	best := 0.0
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.TrimSpace(name), kind) {
			continue
		}
		weight := 1.0
		for parameter := range strings.SplitSeq(parameters, ";") {
			if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); ok {
				weight, _ = strconv.ParseFloat(v, 64) // what is no number wants nothing
			}
		}
		best = max(best, weight)
	}
	return best
}
