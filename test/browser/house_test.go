package browser

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// house is a machine with the product, and a port that leads to it.
type house struct {
	*testbed.Bed
	t   *testing.T
	hub *client.Client // as root
	url string         // of the proxy, as a browser outside reaches it, with a slash at its end

	flags []chromedp.ExecAllocatorOption // of the browser
}

// visit returns the shared machine. The hub knows the cast, and nobody has a server before and after the play.
func visit(t *testing.T) *house {
	t.Helper()
	return settle(t, testbed.Shared(t))
}

func settle(t *testing.T, bed *testbed.Bed) *house {
	t.Helper()
	h := &house{Bed: bed, t: t}
	if _, err := exec.LookPath(chromium); err != nil {
		t.Fatalf("%v: make packages-test", err)
	}
	outside, err := h.Forward(t.Context(), "127.0.0.1:0", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + outside.String() + "/"
	if h.hub, err = client.New(h.Path("/run/jupyterhub/admin.sock"), ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range testbed.Cast {
		_, err := h.hub.CreateUsers(t.Context(), client.CreateUsers{Usernames: []string{name}})
		if err != nil && hub.KindOf(err) != hub.Conflict {
			t.Fatal(err)
		}
	}
	h.clear(t.Context())
	t.Cleanup(func() { h.clear(context.WithoutCancel(t.Context())); h.hub.Close() })
	return h
}

func (h *house) clear(ctx context.Context) {
	for _, name := range testbed.Cast {
		if _, err := h.hub.StopServer(ctx, hub.ServerRef{User: name}, false); err != nil && hub.KindOf(err) != hub.NotFound {
			h.t.Errorf("stop the server of %s: %v", name, err)
		}
	}
	// What JupyterLab would open again.
	if _, err := h.Run(ctx, "sh", "-c", "rm -rf /home/*/.jupyter /home/*/*.ipynb"); err != nil {
		h.t.Error(err)
	}
}

// forgotten removes somebody from the hub when the play ends, with what it remembers of them.
func (h *house) forgotten(name string) {
	ctx := context.WithoutCancel(h.t.Context())
	h.t.Cleanup(func() {
		if _, err := h.hub.StopServer(ctx, hub.ServerRef{User: name}, false); err != nil && hub.KindOf(err) != hub.NotFound {
			h.t.Error(err)
		}
		if err := h.hub.DeleteUser(ctx, name); err != nil && hub.KindOf(err) != hub.NotFound {
			h.t.Error(err)
		}
	})
}

// run runs a command as root.
func (h *house) run(name string, args ...string) string {
	h.t.Helper()
	out, err := h.Run(h.t.Context(), name, args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// plain is a server that starts in no time and shows one line.
const plain = `#!/usr/bin/python3
import http.server, os, socketserver, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<!doctype html><title>plain</title><link rel=icon href=data:,><p id=plain>A plain server"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self): return "peer"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
server = Server(sys.argv[1], Answer)
os.chmod(sys.argv[1], 0o666)
server.serve_forever()
`

// configure adds to the configuration, with the plain server at /usr/local/bin/plain, until the play ends.
func (h *house) configure(config string) {
	h.t.Helper()
	const file = "/etc/jupyterhub/jupyterhub.toml.d/70-play.toml"
	for path, text := range map[string]string{"/usr/local/bin/plain": plain, file: config} {
		if err := h.WriteFile(h.t.Context(), path, text, 0o755); err != nil {
			h.t.Fatal(err)
		}
	}
	h.run("chmod", "644", file)
	h.run("jupyterhub", "reload")
	ctx := context.WithoutCancel(h.t.Context())
	h.t.Cleanup(func() {
		if out, err := h.Run(ctx, "sh", "-c", "rm -f "+file+"; jupyterhub reload"); err != nil {
			h.t.Errorf("%v\n%s", err, out)
		}
	})
}

// plainFor lets some people's servers be plain.
func (h *house) plainFor(people ...string) {
	h.t.Helper()
	var config strings.Builder
	for _, name := range people {
		config.WriteString("[spawner.user." + name + "]\ncmd = [\"plain\"]\nargs = [\"{socket}\"]\n")
	}
	h.configure(config.String())
}

// status asks for a page without a browser, and without following where it leads.
func (h *house) status(path, cookies string) int {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Cookie", cookies)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		h.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// ready waits until a server is.
func (h *house) ready(ref hub.ServerRef) {
	h.t.Helper()
	ctx, done := context.WithTimeout(h.t.Context(), patience)
	defer done()
	err := h.hub.Progress(ctx, ref, func(e hub.Event) error {
		if e.Failed {
			return hub.Errorf(hub.Unavailable, "%s", e.Message)
		}
		return nil
	})
	if err != nil {
		h.t.Fatalf("start %s: %v", ref, err)
	}
}
