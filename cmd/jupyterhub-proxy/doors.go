package main

import (
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

// doors are where the program listens in the place of configurable-http-proxy.
type doors struct {
	public            []net.Listener
	api               net.Listener
	metrics, redirect net.Listener // may be nil
	redirectTo        int
}

// open opens the doors. What is open already is returned with the error as well.
func (l *line) open(d *daemon.Daemon) (at doors, err error) {
	if at.public, err = l.publicDoors(d); err != nil {
		return at, err
	}
	if at.api, err = l.apiDoor(d); err != nil {
		return at, err
	}
	if l.metrics.port >= 0 || l.metrics.socket != "" {
		if at.metrics, err = l.metrics.open("metrics-"); err != nil {
			return at, err
		}
	}
	at.redirect, at.redirectTo, err = l.redirectDoor(at.public[0])
	return at, err
}

// close closes them. Those that are served are closed already, which does no harm.
func (at doors) close() {
	for _, l := range append(at.public, at.api, at.metrics, at.redirect) {
		if l != nil {
			l.Close()
		}
	}
}

// publicDoors are the ones that systemd opened under the name http, or the one that the command line says.
func (l *line) publicDoors(d *daemon.Daemon) ([]net.Listener, error) {
	if d.Handed("http") {
		return d.Listeners("http")
	}
	if l.public.port < 0 {
		l.public.port = 8000
	}
	public, err := l.public.open("")
	if err != nil {
		return nil, err
	}
	return []net.Listener{public}, nil
}

func (l *line) apiDoor(d *daemon.Daemon) (net.Listener, error) {
	if d.Handed("api") {
		return d.Listener("api")
	}
	if l.api.ip == "" {
		l.api.ip = "localhost"
	}
	switch {
	case l.api.port >= 0:
	case l.public.socket != "" || l.public.port < 1:
		l.api.port = 8001
	default:
		l.api.port = l.public.port + 1
	}
	return l.api.open("api-")
}

// redirectDoor is where plain HTTP is led to HTTPS, and the port that it is led to; nil without --redirect-port. A public door
// at port 80 leaves nothing to redirect.
func (l *line) redirectDoor(public net.Listener) (from net.Listener, to int, err error) {
	if tcp, ok := public.Addr().(*net.TCPAddr); ok {
		to = tcp.Port
	}
	if l.redirectPort < 0 || to == 0 || to == 80 {
		return nil, 0, nil
	}
	if l.redirectTo >= 0 {
		to = l.redirectTo
	}
	from, err = net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(l.redirectPort)))
	if err != nil {
		return nil, 0, hub.Errorf(hub.Unavailable, "%w: --redirect-port says where to listen instead", err)
	}
	return from, to, nil
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
