package httpd

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/rs/zerolog"

	"jupyterhubd/hub/auth"
)

// crowded serves two rows, one that reads what it is sent and one that answers at once, with room for so many connections.
// active tells of each request whose head came.
func crowded(t *testing.T, room int) (addr string, active <-chan bool) {
	t.Helper()
	reads := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	}
	h := newHouse(t, "/", []auth.Route{
		{Method: "GET", Pattern: "/hub/api/", Public: true, Handle: say("{}")},
		{Method: "POST", Pattern: "/hub/api/oauth2/token", Public: true, Handle: reads},
	}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.Hall.log = zerolog.Nop() // the house's takes one line at a time
	server, said := h.server(h.API(), Limits{Connections: room}), make(chan bool, 64)
	watch := server.ConnState
	server.ConnState = func(c net.Conn, s http.ConnState) {
		watch(c, s)
		if s == http.StateActive {
			said <- true
		}
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String(), said
}

// Vulnerability: a door has room for so many connections, every local user can knock at 127.0.0.1:8081, and every browser at
// the hub through the proxy. A connection whose request had a head counted as one that works.
// Attack: mallory begins requests on all of them and ends none: a head that announces a body, and half of the body, without
// any proof of who he is.
// Verified: alice is answered at once all the same, every time; mallory's oldest gives way.
func TestWhoNeverEndsARequestKeepsNobodyOut(t *testing.T) {
	for name, half := range map[string]string{
		"half a body": "POST /hub/api/oauth2/token HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\ngrant",
		"one chunk":   "POST /hub/api/oauth2/token HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ngrant\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			const room = 4
			addr, active := crowded(t, room)
			for range room {
				if _, err := io.WriteString(dial(t, addr), half); err != nil {
					t.Fatal(err)
				}
				<-active
			}
			for range room {
				alice := dial(t, addr)
				io.WriteString(alice, "GET /hub/api/ HTTP/1.1\r\nHost: hub\r\n\r\n")
				got, err := http.ReadResponse(bufio.NewReader(alice), nil)
				if err != nil || got.StatusCode != http.StatusOK {
					t.Fatalf("alice got %v, %v", got, err)
				}
			}
		})
	}
}
