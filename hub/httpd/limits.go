package httpd

import (
	"context"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/hub/auth"
)

// Limits of one door. The zero value of a field means the default beside it.
type Limits struct {
	Connections int           // open at once: 4096
	Header      int           // bytes of a request's head: 64 KiB (a browser may bring a dozen servers' cookies)
	HeaderTime  time.Duration // to send the head: 10 s
	BodyTime    time.Duration // to send head and body: 60 s
	Idle        time.Duration // between two requests: 75 s, longer than a proxy's pool keeps a connection

	Door   string  // its name in the metrics
	Meters *Meters // nil for nobody
}

func (l Limits) orDefaults() Limits {
	set := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	wait := func(v *time.Duration, to time.Duration) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&l.Connections, 4096)
	set(&l.Header, 64<<10)
	wait(&l.HeaderTime, 10*time.Second)
	wait(&l.BodyTime, time.Minute)
	wait(&l.Idle, 75*time.Second)
	return l
}

// server returns an http.Server within limits. There is no limit to the time of an answer: starts and event streams take
// what they take, and rooms bound their own.
func (h *Hall) server(handler http.Handler, l Limits) *http.Server {
	l = l.orDefaults()
	crowd := newCrowd(l, h.now)
	return &http.Server{
		Handler:           crowd.attended(handler),
		ReadHeaderTimeout: l.HeaderTime,
		ReadTimeout:       l.BodyTime,
		IdleTimeout:       l.Idle,
		MaxHeaderBytes:    l.Header,
		ConnState:         crowd.watch,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return withConn(auth.ConnContext(ctx, c), c) // who is at the other end of a Unix socket
		},
		ErrorLog:  log.New(logged{h.log}, "", 0),
		Protocols: onlyHTTP1(),
	}
}

// onlyHTTP1: every peer of ours is local and speaks HTTP/1.1; less to go wrong.
func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// logged turns net/http's own complaints (a client that hangs up in a handshake) into lines of our log.
type logged struct{ log zerolog.Logger }

func (l logged) Write(b []byte) (int, error) {
	l.log.Debug().Str("err", short(strings.TrimSpace(string(b)))).Msg("a connection went wrong")
	return len(b), nil
}
