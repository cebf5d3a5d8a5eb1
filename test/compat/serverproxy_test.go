package compat

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// behind is a program that a user runs: it greets, sets a cookie, and says back what comes through a WebSocket.
func behind(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "program", Value: "keeps", Path: "/"})
		had := "nothing"
		if c, err := r.Cookie("program"); err == nil {
			had = c.Value
		}
		io.WriteString(w, "hello, you had "+had)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	})
	program := httptest.NewServer(mux)
	t.Cleanup(program.Close)
	return program.URL[strings.LastIndex(program.URL, ":")+1:]
}

// jupyter-server-proxy inside a user's server, behind our proxy and hub: pages and WebSockets of a program of alice's reach
// her and nobody else, and the program's cookies reach it again.
func TestJupyterServerProxy(t *testing.T) {
	w := newTown(t, "services-6.1.1")
	alice := w.token("alice", "inherit")
	if status, body := w.send(&http.Client{}, http.MethodPost, "/hub/api/users/alice/server", alice, nil); status >= 300 {
		t.Fatalf("start: %d %s", status, body)
	}
	if live, err := w.manager.Wait(t.Context(), alices); err != nil || !live.State.Ready() {
		t.Fatalf("the server is %s: %v", live.State, err)
	}
	at := "/user/alice/proxy/" + behind(t)
	browser := w.login("alice")
	for _, want := range []string{"hello, you had nothing", "hello, you had keeps"} {
		if status, page := w.get(browser, at+"/hello", ""); status != http.StatusOK || page != want {
			t.Errorf("alice's browser gets %d %.300s, want %s", status, page, want)
		}
	}
	for name, token := range map[string]string{"mallory": w.token("mallory", "inherit"), "nobody": ""} {
		if _, page := w.get(&http.Client{}, at+"/hello", token); strings.Contains(page, "hello") {
			t.Errorf("%s gets %s", name, page)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.front, "http")+at+"/echo", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"token " + alice}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("over there?")); err != nil {
		t.Fatal(err)
	}
	if _, text, err := c.Read(ctx); err != nil || string(text) != "over there?" {
		t.Errorf("the program says %q, %v", text, err)
	}
}
