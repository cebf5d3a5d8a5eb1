package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"jupyterhubd/hub/auth"
)

// Conditional requests (RFC 9110, section 13): an answer to a GET has an ETag made from its bytes, and a client that has them
// already is told so, in place of them. The bytes are made either way: what a reader sees follows from their scopes, from what runs
// and from activity that is not in the store yet, and nothing short of the answer itself says that it is the same.

// conditional is a ResponseWriter that knows what its client has.
type conditional struct {
	http.ResponseWriter
	has string // If-None-Match
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (c conditional) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// conditionally makes the answers of a row's GET conditional.
func conditionally(rt auth.Route) auth.Route {
	if rt.Method != http.MethodGet {
		return rt
	}
	handle := rt.Handle
	rt.Handle = func(w http.ResponseWriter, r *http.Request) error {
		return handle(conditional{w, r.Header.Get("If-None-Match")}, r)
	}
	return rt
}

// unchanged sets the tag of a body, and answers that the client has it if it does.
func (c conditional) unchanged(body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	c.Header().Set("ETag", tag)
	if !matches(c.has, tag) {
		return false
	}
	c.WriteHeader(http.StatusNotModified)
	return true
}

// matches compares weakly, as If-None-Match is (RFC 9110, section 13.1.2).
func matches(has, tag string) bool {
	if strings.TrimSpace(has) == "*" {
		return true
	}
	for element := range strings.SplitSeq(has, ",") {
		if strings.TrimPrefix(strings.TrimSpace(element), "W/") == tag {
			return true
		}
	}
	return false
}
