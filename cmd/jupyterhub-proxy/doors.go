package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
)

// open listens where the options with a prefix say. What stands in the way is said with the option that changes it.
func (at door) open(prefix string) (net.Listener, error) {
	if at.socket != "" {
		return openSocket(at.socket, prefix)
	}
	ip := at.ip
	if ip == "*" {
		ip = ""
	}
	l, err := net.Listen("tcp", net.JoinHostPort(strings.Trim(ip, "[]"), strconv.Itoa(max(at.port, 0))))
	if err != nil {
		return nil, hub.Errorf(hub.Unavailable, "%w: --%sip and --%sport say where to listen instead", err, prefix, prefix)
	}
	return l, nil
}

// openSocket listens at a Unix socket. One that was left behind is replaced; one behind which somebody listens is not. The
// API's is for the owner and the group at most, and for fewer where the umask says so.
func openSocket(path, prefix string) (net.Listener, error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, hub.Errorf(hub.Conflict, "another program listens at %s: end it, or give another --%ssocket", path, prefix)
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(path)
		}
	}
	if prefix == "api-" {
		old := syscall.Umask(0)
		syscall.Umask(old | 0o007)
		defer syscall.Umask(old)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, hub.Errorf(hub.Unavailable, "%w: --%ssocket says where to listen instead", err, prefix)
	}
	return l, nil
}

// redirect is the part that leads plain HTTP to HTTPS; nil without --redirect-port. A public door at port 80 is plain HTTP's own.
func (l *line) redirect(d *daemon.Daemon, public net.Listener) (func(context.Context) error, error) {
	port := 0
	if tcp, ok := public.Addr().(*net.TCPAddr); ok {
		port = tcp.Port
	}
	if l.redirectPort < 0 || port == 0 || port == 80 {
		return nil, nil
	}
	to := port
	if l.redirectTo >= 0 {
		to = l.redirectTo
	}
	from, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(l.redirectPort)))
	if err != nil {
		return nil, hub.Errorf(hub.Unavailable, "%w: --redirect-port says where to listen instead", err)
	}
	d.Log.Info().Stringer("addr", from.Addr()).Int("to", to).Msg("Added HTTP to HTTPS redirection")
	return plainDoor(from, redirection(to)), nil
}

// redirection answers every request with the same address under https.
func redirection(port int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, err := publicHost(r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, "This port leads to HTTPS, and the request does not say at which host: "+err.Error()+"\n")
			return
		}
		if port != 443 {
			host = fmt.Sprintf("%s:%d", host, port)
		}
		w.Header()["Location"] = []string{"https://" + host + "/" + strings.TrimLeft(r.URL.RequestURI(), "/")}
		w.WriteHeader(http.StatusMovedPermanently)
	})
}

var errNoHost = errors.New("there is no Host that can be one")

// publicHost returns a request's Host without its port, an IPv6 address in brackets.
func publicHost(host string) (string, error) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "" || strings.ContainsAny(host, "/@\\?# \"<>") {
		return "", errNoHost
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host, nil
}
