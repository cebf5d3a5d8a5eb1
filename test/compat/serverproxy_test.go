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

// jupyter-server-proxy inside a user's server, behind our proxy and hub: pages and WebSockets of a program of alice's reach her, and the
// program's cookies reach it again.
//
// Vulnerability (CVE-2024-28179): who asks for a page is asked who they are, and who asks for a WebSocket is not. Attack: mallory, by her token
// and by her browser, and nobody at all ask for the program's page and its WebSocket. Verified: none of them gets a word of it.
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	mallory := w.login("mallory")
	mallorys := w.token("mallory", "inherit")
	for _, stranger := range []struct {
		name, token string
		browser     *http.Client
	}{{"mallory by her token", mallorys, &http.Client{}}, {"mallory by her browser", "", mallory}, {"nobody", "", &http.Client{}}} {
		if _, page := w.get(stranger.browser, at+"/hello", stranger.token); strings.Contains(page, "hello") {
			t.Errorf("%s gets %s", stranger.name, page)
		}
		for _, query := range []string{"", "?token=" + stranger.token} {
			if c, res, err := w.dial(ctx, at+"/echo"+query, stranger.browser, stranger.token); err == nil {
				c.CloseNow()
				t.Errorf("%s opens the program's WebSocket: %d", stranger.name, res.StatusCode)
			}
		}
	}
	c, _, err := w.dial(ctx, at+"/echo", &http.Client{}, alice)
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

// dial asks for a WebSocket as somebody with a token, or with a browser's cookies.
func (w *town) dial(ctx context.Context, path string, as *http.Client, token string) (*websocket.Conn, *http.Response, error) {
	o := &websocket.DialOptions{HTTPClient: as, HTTPHeader: http.Header{"Sec-Fetch-Mode": {"websocket"}}}
	if token != "" {
		o.HTTPHeader.Set("Authorization", "token "+token)
	}
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.front, "http")+path, o)
}
