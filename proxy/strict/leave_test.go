package strict_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"jupyterhubd/proxy/strict"
)

// A client that leaves is noticed while nobody reads from it.
func TestLeavingEndsTheContext(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	addr, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	for _, leave := range []func(*net.TCPConn){
		func(c *net.TCPConn) { c.Close() }, func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, func(c *net.TCPConn) { c.CloseWrite() },
	} {
		c, _ := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		<-begun
		leave(c.(*net.TCPConn))
		<-ended
	}
}

// Who sends all and closes their side is answered, even when that is seen before the request is read.
func TestWhoSpokeBeforeLeavingIsAnswered(t *testing.T) {
	l := listen(t)
	srv := &strict.Server{Handler: http.HandlerFunc(answer), Context: t.Context(), HeadTime: time.Minute, IdleTime: time.Minute, MaxHead: 1 << 20,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			left, leave := context.WithCancel(ctx)
			leave()
			return left
		}}
	go accept(l, srv)
	for send, want := range map[string]string{
		"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n": "HTTP/1.1 200 ",
		"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n":          "HTTP/1.1 400 ",
	} {
		if got := talk(t, l.Addr(), send); !strings.HasPrefix(got, want) {
			t.Errorf("%q: want %s, got %q", send, want, got)
		}
	}
}
