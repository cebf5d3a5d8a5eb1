package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// hubHost is the hub's host, below which users have theirs. No DNS knows it: the browser is told where it leads.
const hubHost = "hub.test"

// apart boots a machine on which users have hosts of their own, with https.
func apart(t *testing.T) *house {
	t.Helper()
	testbed.Needed(t)
	bed, err := testbed.Boot(t.Context(), testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.End(); err != nil {
			t.Error(err)
		}
	})
	bed.Watch(t)
	h := settle(t, bed)
	const dir = "/etc/jupyterhub/tls"
	h.run("sh", "-c", `mkdir "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$2" \
		-addext "subjectAltName=DNS:$2,DNS:*.$2" -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null && chown -R jupyterhub-proxy "$1"`, "sh", dir, hubHost)
	for path, text := range map[string]string{
		"/usr/local/bin/malicious": malicious,
		"/etc/jupyterhub/jupyterhub.toml.d/60-hosts.toml": "[hub]\nsubdomain_host = \"https://" + hubHost + "\"\n" +
			"[spawner.user.mallory]\ncmd = [\"malicious\"]\nargs = [\"{socket}\"]\n" +
			"[proxy]\ntls_certificate = \"" + dir + "/cert.pem\"\ntls_key = \"" + dir + "/key.pem\"\n",
	} {
		if err := h.WriteFile(t.Context(), path, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.run("chmod", "644", "/etc/jupyterhub/jupyterhub.toml.d/60-hosts.toml")
	h.run("systemctl", "restart", "jupyterhub-spawnd.service", "jupyterhub.service", "jupyterhub-proxy.service")
	outside := strings.Trim(strings.TrimPrefix(h.url, "http://"), "/")
	h.flags = []chromedp.ExecAllocatorOption{
		chromedp.Flag("host-resolver-rules", "MAP "+hubHost+" "+outside+", MAP *."+hubHost+" "+outside),
		chromedp.Flag("ignore-certificate-errors", true), // of its own issuer; names are checked in test/system
	}
	h.url = "https://" + hubHost + "/"
	return h
}

// malicious is mallory's server. Its one page does in its visitor's browser whatever a page can, and shows what came of it.
const malicious = `#!/usr/bin/python3
import http.server, os, socketserver, sys
PAGE = b"""<!doctype html><meta charset=utf-8><title>mallory</title><link rel=icon href=data:,><p id=mallory>Welcome
<script type=module>
const hub = "https://hub.test", hers = "https://alice.hub.test/user/alice/", results = {};
const attempt = async (name, work) => { try { results[name] = String(await work()); } catch (e) { results[name] = "no"; } };
for (const cookie of ["jupyterhub-hub-login=planted", "__Host-jupyterhub-hub-login=planted; Secure", "_xsrf=planted", "jupyterhub-user-alice=planted",
		"__Host-jupyterhub-user-alice=planted; Secure"])
	for (const path of ["/", "/hub/", "/hub/home", "/user/alice/"])
		document.cookie = cookie + "; Domain=hub.test; Path=" + path;
const include = { credentials: "include" }, blind = { ...include, mode: "no-cors" };
await attempt("read the hub", async () => (await (await fetch(hub + "/hub/api/user", include)).text()).length);
await attempt("read her server", async () => (await (await fetch(hers + "api/contents", include)).text()).length);
await attempt("read her frame", () => new Promise((done, no) => {
	const frame = document.createElement("iframe");
	frame.onload = () => { try { done(frame.contentWindow.document.body.innerText) } catch (e) { no(e) } };
	frame.src = hers + "lab";
	document.body.append(frame);
}));
await attempt("a picture of the logout", () => new Promise((done) => {
	const picture = new Image();
	picture.onload = picture.onerror = () => done("asked");
	picture.src = hub + "/hub/logout";
}));
await attempt("a frame of the logout", () => new Promise((done) => {
	const frame = document.createElement("iframe");
	frame.onload = () => done("asked");
	frame.src = hub + "/hub/logout";
	document.body.append(frame);
}));
await attempt("stop her server", async () => (await fetch(hub + "/hub/home", { ...blind, method: "POST",
	body: new URLSearchParams({ action: "stop", server: "", _xsrf: "planted" }) })).type);
await attempt("start a kernel", async () => (await fetch(hers + "api/kernels", { ...blind, method: "POST", body: "{}" })).type);
await attempt("a WebSocket of hers", () => new Promise((done, no) => {
	const socket = new WebSocket("wss://alice.hub.test/user/alice/api/events/subscribe");
	socket.onopen = () => done("open");
	socket.onerror = no;
}));
window.results = results;
</script>"""
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "_xsrf=set-by-mallory; Domain=hub.test; Path=/")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)
    def address_string(self): return "peer"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
server = Server(sys.argv[1], Answer)
os.chmod(sys.argv[1], 0o666)
server.serve_forever()
`

// Alice comes to the hub, her server starts at a host of her own, and a cell runs there, in a browser that knows what is an origin and
// what a site. Then she visits mallory.
//
// Vulnerability: to a browser hosts below the hub's are one site with it: cookies go along with what their pages ask, and can be set
// by them for all.
// Attack: mallory's page sets cookies for the domain, reads the hub and alice's server, asks for the logout by a picture and a frame,
// posts to the hub's forms and to alice's server, and opens a WebSocket of hers.
// Verified: it reads nothing and opens nothing; alice stays herself, her server and its one kernel run, and her work goes on.
func TestAliceWorksAtHerHost(t *testing.T) {
	h := apart(t)
	if _, err := h.hub.StartServer(t.Context(), hub.ServerRef{User: "mallory"}, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	x := h.open(1280, 800)
	x.visit("")
	x.sees("#login-form")
	x.mustBeQuiet("the login page")
	x.logIn("alice")
	x.sees(".jp-LauncherCard[data-category=Notebook]")
	if at := x.at(); !strings.HasPrefix(at, "https://alice."+hubHost+"/user/alice/lab") {
		t.Errorf("JupyterLab is at %s", at)
	}
	x.clicks(".jp-LauncherCard[data-category=Notebook]")
	x.sees(".jp-Notebook .jp-Cell .cm-content")
	x.clicks(".jp-Notebook .jp-Cell .cm-content")
	x.becomes(`document.activeElement.matches(".jp-Notebook .cm-content")`)
	x.do(input.InsertText("import os; print(os.environ['JUPYTERHUB_PUBLIC_URL'], 6 * 7)"))
	x.runFirstCell()
	if out, want := x.text(".jp-OutputArea-output pre"), "https://alice."+hubHost+"/user/alice/ 42"; out != want {
		t.Errorf("the cell prints %q, want %q", out, want)
	}
	open := len(x.openSockets())

	y := x.another()
	y.do(chromedp.Navigate("https://mallory." + hubHost + "/user/mallory/"))
	y.becomes("window.results")
	for deed, what := range eval[map[string]string](y, "window.results") {
		if !strings.Contains("no asked opaque", what) {
			t.Errorf("mallory's page can %s: %s", deed, what)
		}
	}
	if got := len(x.openSockets()); got < open {
		t.Errorf("of %d WebSockets of her notebook %d are open", open, got)
	}
	y.visit("hub/home")
	y.says(".who", "alice")
	y.says("#stop", "Stop My Server")
	x.becomes(`(() => { // JupyterLab's way to ask
		const token = document.cookie.match("\\b_xsrf=([^;]*)\\b")[1];
		fetch("/user/alice/api/kernels", { headers: { "X-XSRFToken": token } }).then((answer) => answer.json()).then((all) => { window.kernels = all.length; });
		return window.kernels == 1;
	})()`)

	// Out she goes, at the hub, and what is open at her host is over.
	y.presses("#logout")
	y.sees("#login-form")
	x.awaitSockets(patience, func(open int) bool { return open == 0 })
	x.do(chromedp.Evaluate(`fetch("/user/alice/api/kernels").then((answer) => { window.refused = answer.redirected || answer.status >= 400; }, () => { window.refused = true; })`, nil))
	x.becomes("window.refused")
}
