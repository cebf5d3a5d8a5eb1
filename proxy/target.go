package proxy

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// maxSocketPath is what sun_path holds beside its NUL.
const maxSocketPath = 107

// target is where a route leads.
type target struct {
	scheme string // http or https
	addr   string // host:port, or the path of a socket
	unix   bool
	host   string // as the URL names it, for TLS and for the transport's pool
	path   string // in front of what is forwarded: "" or "/a/b", escaped
	query  string // in front of the request's
}

// readTarget reads a target as configurable-http-proxy spells it: http://host:port, https://…, or
// http+unix://%2Frun%2Fx.sock (also unix+http), each with an optional path.
func readTarget(s string) (target, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return target{}, badTarget(s)
	}
	switch strings.ToLower(scheme) {
	case "http", "https":
		return readTCP(s)
	case "http+unix", "unix+http":
		return readUnix(s, rest)
	}
	return target{}, badTarget(s)
}

func badTarget(s string) error {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return hub.Errorf(hub.Invalid, "the target %q leads nowhere: it has to be http://host:port, https://host:port or http+unix://%%2Fpath%%2Fof%%2Fsocket", s)
}

func readTCP(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(s, "#") {
		return target{}, badTarget(s)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strings.HasSuffix(u.Host, ":") {
		return target{}, badTarget(s)
	}
	return target{scheme: u.Scheme, addr: net.JoinHostPort(u.Hostname(), port), host: u.Host,
		path: strings.TrimRight(u.EscapedPath(), "/"), query: u.RawQuery}, nil
}

func readUnix(s, rest string) (target, error) {
	at := strings.IndexAny(rest, "/?#")
	if at < 0 {
		at = len(rest)
	}
	path, err := unescape(rest[:at])
	if err != nil || !strings.HasPrefix(path, "/") || len(path) > maxSocketPath || strings.IndexByte(path, 0) >= 0 {
		return target{}, badTarget(s)
	}
	u, err := url.Parse(rest[at:])
	if err != nil || u.Host != "" || strings.Contains(rest, "#") {
		return target{}, badTarget(s)
	}
	return target{scheme: "http", addr: path, unix: true, host: "localhost", path: strings.TrimRight(u.EscapedPath(), "/"), query: u.RawQuery}, nil
}

// forward returns the path and query that go upstream for a request's.
func (t target) forward(path, query string) (string, string) {
	if t.query != "" && query != "" {
		query = t.query + "&" + query
	} else if t.query != "" {
		query = t.query
	}
	return t.path + path, query
}
