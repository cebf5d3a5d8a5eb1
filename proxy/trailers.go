package proxy

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Fields behind a body (RFC 9110 6.5) pass in both directions when they say nothing that is looked at before the body is read:
// how long it is, where the message goes, who sends it, how it is to be dealt with. Many programs put them among the fields of the
// head, where such a one would have been removed or replaced.

// untrailed belong in front of a body, beside what httpguts knows of, what concerns one hop, what only the proxy may say, and what
// speaks for the whole host.
var untrailed = map[string]bool{
	"": true, "Cookie": true, "Set-Cookie": true, "X-Xsrftoken": true, "Location": true, "Origin": true, "Referer": true, "Vary": true,
	"Age": true, "Date": true, "Expires": true, "Retry-After": true,
}

// mayTrail reports whether a field may come behind a body.
func mayTrail(name string) bool {
	plain := hyphened(name)
	return httpguts.ValidTrailerHeader(plain) && !untrailed[plain] && !isClaim(plain) && !slices.Contains(hopHeaders, plain) && !slices.Contains(originHeaders, plain)
}

// trailers are the names of the fields that a request announces behind its body, and that go upstream.
func (ps *passage) trailers() (names []string) {
	for name := range ps.in.Trailer {
		if mayTrail(name) && ps.manners.Headers[name] == nil && !listHas(ps.in.Header["Connection"], name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// chunked reports whether the body goes upstream in chunks: nobody knows its length, or fields follow it, which HTTP/2 knows with a
// length as well.
func (ps *passage) chunked() bool {
	return ps.in.ContentLength < 0 || ps.in.ContentLength > 0 && len(ps.trailers()) > 0
}

// appendEnd ends a chunked body, once all of it was read, with the fields that came behind it.
func (ps *passage) appendEnd(b []byte) []byte {
	b = append(b, "0\r\n"...)
	for _, name := range ps.trailers() {
		for _, v := range ps.in.Trailer[name] {
			b = appendField(b, name, v)
		}
	}
	return append(b, "\r\n"...)
}

// announced returns the names of the trailers that an answer announces, without those that a client would take for fields of the
// head.
func announced(h http.Header) (names []string) {
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if mayTrail(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// passTrailers passes an answer's trailers on: as such where they were announced, under net/http's prefix otherwise.
func passTrailers(h, trailers http.Header, announced []string) {
	for name, values := range trailers {
		switch {
		case !mayTrail(name):
		case slices.Contains(announced, name):
			h[name] = values
		default:
			h[http.TrailerPrefix+name] = values
		}
	}
}
