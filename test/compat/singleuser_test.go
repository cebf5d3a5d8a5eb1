package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"jupyterhubd/hub"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/store"
	"jupyterhubd/proxy"
	proxyclient "jupyterhubd/proxy/client"
)

var alices = hub.ServerRef{User: "alice"}

// town is a house with a proxy before it and servers of one release in it.
type town struct {
	*house
	machine *machine
	front   string // where browsers knock
	hosts   hosts.Hosts
	door    string // where browsers knock whatever host they look for; "" where there is one
}

func newTown(t *testing.T, release string) *town {
	t.Helper()
	apiDoor, front := listen(t), listen(t)
	p, err := proxy.New(proxy.Options{APIToken: "between-hub-and-proxy"})
	if err != nil {
		t.Fatal(err)
	}
	w := newTownBehind(t, release, front.Addr().String(), "http://"+apiDoor.Addr().String())
	w.live(func(ctx context.Context) error { return p.ServeAPI(ctx, apiDoor) })
	w.live(func(ctx context.Context) error { return p.Serve(ctx, front) })
	w.awaitRoute()
	return w
}

// newTownBehind is a house with the proxy before it that serves at front and is edited at api.
func newTownBehind(t *testing.T, release, front, api string) *town {
	t.Helper()
	w := &town{machine: newMachine(t, needs(t, release, "jupyterhub-singleuser")), front: "http://" + front}
	w.house = newHouse(t, w.machine, proxyclient.New(api, "between-hub-and-proxy"), time.Now, nil)
	w.machine.identity = w.manager.Credential
	return w
}

// awaitRoute waits until the hub has told the proxy where it is.
func (w *town) awaitRoute() {
	w.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if status, _ := w.get(&http.Client{Transport: w.transport()}, "/hub/health", ""); status == http.StatusOK {
			return
		}
		select {
		case <-look.C:
		case <-w.t.Context().Done():
			w.t.Fatal("the hub never told the proxy where it is")
		}
	}
}

// login opens a browser that is logged in.
func (w *town) login(user string) *http.Client {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error {
		cookie, s, err := tx.NewSession(hub.Session{User: user, Expires: time.Now().Add(time.Hour)})
		home, _ := url.Parse(w.front)
		jar.SetCookies(home, []*http.Cookie{{Name: "jupyterhub-session-id", Value: s.ID, Path: "/", Domain: w.hosts.Domain()}, {Name: "jupyterhub-hub-login", Value: cookie, Path: "/hub/"}})
		return err
	})
	return &http.Client{Jar: jar, Transport: w.transport()}
}

// transport is a browser's way to the town. No DNS knows the town's hosts: it is told where they are.
func (w *town) transport() http.RoundTripper {
	if w.door == "" {
		return http.DefaultTransport
	}
	t := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.door)
	}}
	w.t.Cleanup(t.CloseIdleConnections)
	return t
}

// get fetches a page and returns its status and body.
func (w *town) get(c *http.Client, path, token string) (int, string) {
	w.t.Helper()
	return w.send(c, http.MethodGet, path, token, nil)
}

func (w *town) send(c *http.Client, method, path, token string, body []byte) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.front+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "token "+token)
	}
	got, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.StatusCode, string(text)
}

func TestSingleUser611(t *testing.T) { playSingleUser(t, newTown(t, "singleuser-6.1.1")) }
func TestSingleUser554(t *testing.T) { playSingleUser(t, newTown(t, "singleuser-5.5.4")) }

// The same with the real configurable-http-proxy between browsers, hub and server.
func TestOurHubBehindTheOtherProxy(t *testing.T) {
	p := startPeer(t, realCHP(t))
	w := newTownBehind(t, "singleuser-6.1.1", p.public, p.dir+"/api")
	w.awaitRoute()
	playSingleUser(t, w)
}

// The life of an unmodified single-user server with us: it starts, finds its hub, reports activity, lets its owner in by
// OAuth and by token and nobody else, runs a cell, and ends.
func playSingleUser(t *testing.T, w *town) {
	alice, plain := w.token("alice", "inherit"), &http.Client{}
	if status, body := w.send(plain, http.MethodPost, "/hub/api/users/alice/server", alice, nil); status != http.StatusCreated && status != http.StatusAccepted {
		t.Fatalf("start: %d %s", status, body)
	}
	if live, err := w.manager.Wait(t.Context(), alices); err != nil || !live.State.Ready() {
		t.Fatalf("the server is %s: %v", live.State, err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, line := range []string{"GET /hub/api OK", "POST /hub/api/users/alice/activity OK"} {
		if err := w.seen.await(soon, line); err != nil {
			t.Error(err)
		}
	}

	status, page := w.get(w.login("alice"), "/user/alice/lab", "")
	if status != 200 || !strings.Contains(page, `"hubUser": "alice"`) || !strings.Contains(page, `"hubPrefix": "/hub/"`) {
		t.Errorf("alice's browser gets %d and %.200s", status, page)
	}
	if err := w.seen.await(soon, "POST /hub/api/oauth2/token OK"); err != nil {
		t.Error(err)
	}
	if status, body := w.get(w.login("mallory"), "/user/alice/lab", ""); status != 403 || !strings.Contains(body, "Server at /user/alice/") {
		t.Errorf("mallory's browser gets %d %s", status, body)
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"alice":                  {alice, 200},
		"alice, for this server": {w.token("alice", "access:servers!server=alice/"), 200},
		"an admin":               {w.token("admin", "inherit"), 200},
		"alice, for nothing":     {w.token("alice"), 403},
		"bob":                    {w.token("bob", "inherit"), 403},
		"nobody":                 {"no-such-token", 403},
	} {
		if status, body := w.get(plain, "/user/alice/api/contents", c.token); status != c.want {
			t.Errorf("%s's token: %d, want %d: %.200s", name, status, c.want, body)
		}
	}
	if out := w.runCell(alice, "print(6 * 7)"); out != "42\n" {
		t.Errorf("the cell says %q", out)
	}
	w.seesAWaitingCell(alice)

	if status, body := w.send(plain, http.MethodDelete, "/hub/api/users/alice/server", alice, nil); status != http.StatusNoContent && status != http.StatusAccepted {
		t.Errorf("stop: %d %s", status, body)
	}
	if live, err := w.manager.Wait(t.Context(), alices); err != nil || live.State != hub.Stopped {
		t.Errorf("the server is %s: %v", live.State, err)
	}
	w.nothingIsLeft()
}

// seesAWaitingCell checks that the hub learns of a cell that waits in silence, with no browser that looks, and that the server is active
// by it.
func (w *town) seesAWaitingCell(token string) {
	w.t.Helper()
	if out := w.runCell(token, "import time; print('waits', flush=True); time.sleep(3600)"); out != "waits\n" {
		w.t.Fatalf("the cell says %q", out)
	}
	last := func() time.Time {
		live, err := w.manager.Server(alices)
		if err != nil {
			w.t.Fatal(err)
		}
		return live.LastActivity
	}
	began := time.Now()
	policy := spawner.DefaultPolicy()
	policy.CullAfter = 4 * time.Second
	w.manager.SetPolicy(policy)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for late := time.After(time.Minute); last().Before(began.Add(2 * time.Second)); {
		select {
		case <-look.C:
		case <-late:
			w.t.Errorf("its server looks idle since %s, which is %s after the cell began", last(), last().Sub(began))
			return
		}
	}
}

// nothingIsLeft checks that a stopped server has no token and no client any more.
func (w *town) nothingIsLeft() {
	w.t.Helper()
	err := w.store.View(func(tx *store.Tx) error {
		for _, t := range tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: "alice"}) {
			if t.ServerToken || t.Client != "" {
				w.t.Errorf("token %q of a stopped server is still good", t.Note)
			}
		}
		if _, err := tx.Client("jupyterhub-user-alice"); hub.KindOf(err) != hub.NotFound {
			w.t.Errorf("its OAuth client is still there: %v", err)
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

// message is a message of a kernel (Jupyter's messaging protocol 5.3).
type message struct {
	Header  map[string]any `json:"header"`
	Parent  map[string]any `json:"parent_header"`
	Content map[string]any `json:"content"`
	Meta    map[string]any `json:"metadata"`
	Channel string         `json:"channel"`
}

// runCell starts a kernel, runs code through a WebSocket and returns what it prints.
func (w *town) runCell(token, code string) string {
	w.t.Helper()
	status, body := w.send(&http.Client{}, http.MethodPost, "/user/alice/api/kernels", token, []byte(`{"name":"python3"}`))
	var kernel struct{ ID string }
	if err := json.Unmarshal([]byte(body), &kernel); err != nil || status != http.StatusCreated {
		w.t.Fatalf("a kernel: %d %s", status, body)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	at := "ws" + strings.TrimPrefix(w.front, "http") + "/user/alice/api/kernels/" + kernel.ID + "/channels"
	c, _, err := websocket.Dial(ctx, at, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"token " + token}}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	ask := message{Channel: "shell", Parent: map[string]any{}, Meta: map[string]any{},
		Header:  map[string]any{"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "alice", "version": "5.3"},
		Content: map[string]any{"code": code, "silent": false, "store_history": false, "user_expressions": map[string]any{}, "allow_stdin": false}}
	if err := wsjson.Write(ctx, c, ask); err != nil {
		w.t.Fatal(err)
	}
	for {
		var m message
		if err := wsjson.Read(ctx, c, &m); err != nil {
			w.t.Fatal(err)
		}
		if m.Header["msg_type"] == "stream" && m.Parent["msg_id"] == "1" {
			return m.Content["text"].(string)
		}
	}
}

var _ spawner.Spawner = (*machine)(nil)
