package auth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// WantsJSON decides how a server that does not run is told of (specification 4.4). JSON goes to a method other than GET, to
// a path with a segment "api" below the server's, and to an Accept that prefers JSON to HTML; without a preference it is the
// page.
func WantsJSON(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return true
	}
	_, path, _ := strings.Cut(r.URL.Path, "/hub/user/") // the base URL may hold an "api" too
	if segments := strings.Split(path, "/"); slices.Contains(segments[1:], "api") {
		return true // the first segment is a user, who may be called so
	}
	accept := r.Header.Values("Accept")
	return quality(accept, "application/json") > quality(accept, "text/html")
}

// quality returns how much of a media type an Accept header wants. Only the exact type counts for JSON over a wildcard, as
// JupyterHub has it: "application/*" and "*/*" alone mean a browser.
func quality(accept []string, want string) float64 {
	best := 0.0
	for element := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mediaType, params, _ := strings.Cut(element, ";")
		if !strings.EqualFold(strings.TrimSpace(mediaType), want) {
			continue
		}
		best = max(best, weight(params))
	}
	return best
}

func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
		return 0
	}
	return 1
}
