package browser

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// securely gives the proxy a certificate, until the play ends, and leads the browser to https.
func (h *house) securely() {
	h.t.Helper()
	const dir = "/etc/jupyterhub/play-tls"
	h.run("sh", "-c", `mkdir -p "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null && chown -R jupyterhub-proxy "$1"`, "sh", dir)
	ctx := context.WithoutCancel(h.t.Context())
	h.t.Cleanup(func() {
		if out, err := h.Run(ctx, "rm", "-rf", dir); err != nil {
			h.t.Errorf("%v\n%s", err, out)
		}
	})
	h.configure("[proxy]\ntls_certificate = \"" + dir + "/cert.pem\"\ntls_key = \"" + dir + "/key.pem\"\n")
	h.url = "https://" + strings.TrimPrefix(h.url, "http://")
	c, err := tls.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(h.url, "https://"), "/"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		h.t.Fatalf("the proxy does not speak TLS: %v", err)
	}
	c.Close()
}

// Over TLS it is the same: Alice logs in, works in a notebook, and an upgrade of the proxy in the middle of it cuts nothing. Pages
// come over HTTP/2, the kernel's WebSocket beside them, and what says who she is never travels in the clear.
func TestAliceWorksOverTLS(t *testing.T) {
	h := visit(t)
	h.securely()
	x := h.open(1280, 800)
	x.trustsEverybody()
	x.visit("")
	x.sees("#login-form")
	const protocol = `performance.getEntriesByType("navigation")[0].nextHopProtocol`
	if spoken := eval[string](x, protocol); spoken != "h2" {
		t.Errorf("the login page came over %q", spoken)
	}
	x.logIn("alice")
	x.sees(".jp-LauncherCard[data-category=Notebook]")
	x.writesCell("print(6 * 7)")
	if out := x.text(".jp-OutputArea-output pre"); out != "42" {
		t.Errorf("the cell prints %q", out)
	}
	x.mustHideCookies()
	x.worksThroughReload()
	other := x.another() // JupyterLab asks before it lets a page go that is not saved
	other.trustsEverybody()
	other.visit("hub/home")
	if spoken := eval[string](other, protocol); spoken != "h2" {
		t.Errorf("after the reload her home came over %q", spoken)
	}
}

// mustHideCookies holds when the browser sends what says who she is, to the hub and to her server, over TLS alone. Her server's own
// protection against forged requests says nothing of that, and jupyterhub-singleuser leaves it without.
func (x *tab) mustHideCookies() {
	x.t.Helper()
	var all []*network.Cookie
	x.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		all, err = network.GetCookies().WithURLs([]string{x.h.url + "hub/", x.h.url + "user/alice/"}).Do(ctx)
		return err
	}))
	if len(all) == 0 {
		x.t.Error("the browser has no cookies")
	}
	for _, c := range all {
		if host, _, _ := net.SplitHostPort(strings.Trim(strings.TrimPrefix(x.h.url, "https://"), "/")); c.Domain != host {
			x.t.Errorf("the cookie %s is for %s", c.Name, c.Domain)
		}
		if own := c.Name == "_xsrf" && c.Path == "/user/alice/"; !c.Secure && !own {
			x.t.Errorf("the cookie %s of %s would be sent in the clear", c.Name, c.Path)
		}
	}
}
