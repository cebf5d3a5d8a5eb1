package main

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("JUPYTERHUB_SERVICE_URL")); err != nil {
		fmt.Fprintln(os.Stderr, "singleuser:", err)
		os.Exit(1)
	}
}

func run(args []string, service string) error {
	l, err := listen(args, service)
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(answer))
}

// listen listens at the socket that the command line names, for everybody as --ServerApp.sock_mode=0666 has it; without one,
// at the host and port of the service's URL.
func listen(args []string, service string) (net.Listener, error) {
	for _, a := range args {
		if path, ok := strings.CutPrefix(a, "--ServerApp.sock="); ok {
			l, err := net.Listen("unix", path)
			if err != nil {
				return nil, err
			}
			return l, os.Chmod(path, 0o666)
		}
	}
	u, err := url.Parse(service)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("neither --ServerApp.sock= nor JUPYTERHUB_SERVICE_URL says where to listen: %q", service)
	}
	return net.Listen("tcp", u.Host)
}

// echo gives a WebSocket back every byte that comes, without looking at frames.
func echo(w http.ResponseWriter, r *http.Request) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 4.2.2; haproxy looks at it
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(accept[:])+"\r\n\r\n"); err == nil {
		io.Copy(c, rw)
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		echo(w, r)
		return
	}
	w.Header().Set("X-JupyterHub-Version", "6.1.1")
	w.Header().Set("Content-Type", "application/json")
	// Whose it is, so that whoever asks sees whether it was led to the right one. A client that left needs no answer.
	_, _ = fmt.Fprintf(w, `{"version":"2.0.0","user":%q}`, os.Getenv("JUPYTERHUB_USER"))
}
