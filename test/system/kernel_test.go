package system

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// kernel is a Python of a player's, in a real Jupyter server, spoken to over a WebSocket as JupyterLab does.
type kernel struct {
	t    *testing.T
	id   string
	conn *websocket.Conn
}

// letter is one message of Jupyter's wire protocol, as far as a play looks at it.
type letter struct {
	Channel  string         `json:"channel"`
	Header   heading        `json:"header"`
	Parent   heading        `json:"parent_header"`
	Metadata map[string]any `json:"metadata"`
	Content  map[string]any `json:"content"`
	Buffers  []string       `json:"buffers"`
}

type heading struct {
	ID       string `json:"msg_id,omitempty"`
	Type     string `json:"msg_type,omitempty"`
	Username string `json:"username,omitempty"`
	Session  string `json:"session,omitempty"`
	Version  string `json:"version,omitempty"`
	Date     string `json:"date,omitempty"`
}

// errKernelDied is the end of a cell whose kernel was killed.
var errKernelDied = errors.New("the kernel died")

// kernel starts a kernel in the player's server, which runs and has been visited.
func (p *player) kernel() *kernel {
	p.t.Helper()
	var model struct {
		ID string `json:"id"`
	}
	p.api("POST", "kernels", map[string]string{"name": "python3"}, &model)
	channels := p.request(p.s.ctx, http.MethodGet, p.server()+"api/kernels/"+model.ID+"/channels", nil).URL
	conn, _, err := websocket.Dial(p.s.ctx, channels.String(), &websocket.DialOptions{HTTPClient: p.http})
	if err != nil {
		p.t.Fatalf("connect to the kernel: %v", err)
	}
	conn.SetReadLimit(16 << 20)
	p.t.Cleanup(func() { _ = conn.CloseNow() }) // its other end may be gone, ignoring
	return &kernel{p.t, model.ID, conn}
}

// run runs a cell and returns what it printed, with <image/png> for each picture.
func (k *kernel) run(cell string) string {
	k.t.Helper()
	out, err := k.try(cell)
	if err != nil {
		k.t.Fatalf("%v in the cell\n%s\nafter %q", err, cell, out)
	}
	return out
}

// try runs a cell that may fail.
func (k *kernel) try(cell string) (string, error) {
	k.t.Helper()
	ctx, done := context.WithTimeout(k.t.Context(), 2*patience)
	defer done()
	id := rand.Text()
	request := letter{
		Channel:  "shell",
		Header:   heading{id, "execute_request", "player", rand.Text(), "5.3", time.Now().UTC().Format(time.RFC3339Nano)},
		Metadata: map[string]any{},
		Content: map[string]any{"code": cell, "silent": false, "store_history": true, "user_expressions": map[string]any{},
			"allow_stdin": false, "stop_on_error": true},
		Buffers: []string{},
	}
	if err := wsjson.Write(ctx, k.conn, request); err != nil {
		k.t.Fatalf("send a cell: %v", err)
	}
	return k.listen(ctx, id)
}

// listen collects the output of a cell until its kernel is idle again.
func (k *kernel) listen(ctx context.Context, id string) (string, error) {
	k.t.Helper()
	var out strings.Builder
	var failure error
	for {
		_, raw, err := k.conn.Read(ctx)
		if err != nil {
			k.t.Fatalf("listen to the kernel: %v, after %q", err, out.String())
		}
		var m letter
		if err := json.Unmarshal(raw, &m); err != nil {
			k.t.Fatalf("%v in %q", err, raw)
		}
		state := m.Content["execution_state"]
		switch {
		case m.Header.Type == "status" && (state == "restarting" || state == "autorestarting" || state == "dead"):
			return out.String(), errKernelDied
		case m.Parent.ID != id:
		case m.Header.Type == "stream":
			fmt.Fprint(&out, m.Content["text"])
		case m.Header.Type == "display_data":
			data, _ := m.Content["data"].(map[string]any) // anything else is no picture
			if _, drawn := data["image/png"]; drawn {
				out.WriteString("<image/png>\n")
			}
		case m.Header.Type == "error":
			failure = fmt.Errorf("%v: %v", m.Content["ename"], m.Content["evalue"])
		case m.Header.Type == "status" && state == "idle":
			return out.String(), failure
		}
	}
}

// mustBeCut holds when the connection to the kernel is closed from the other side.
func (k *kernel) mustBeCut() {
	k.t.Helper()
	ctx, done := context.WithTimeout(k.t.Context(), patience)
	defer done()
	var err error
	for err == nil {
		_, _, err = k.conn.Read(ctx)
	}
	if ctx.Err() != nil {
		k.t.Errorf("the kernel's WebSocket is open after %s", patience)
	}
}
