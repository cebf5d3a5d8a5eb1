package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

const kernels = "user/alice/api/kernels"

// sharing is alice at work in her JupyterLab, of an unmodified jupyterhub-singleuser, with the page of shares in another tab; and bob,
// who is logged in.
type sharing struct {
	*house
	lab, desk, bob *tab
}

func (h *house) share() *sharing {
	h.t.Helper()
	h.configure("[hub]\nextra_user_scopes = [\"shares!user\"]\n")
	hers := hub.ServerRef{User: "alice"}
	if _, err := h.hub.StartServer(h.t.Context(), hers, client.StartRequest{}); err != nil {
		h.t.Fatal(err)
	}
	h.ready(hers)
	s := &sharing{house: h, lab: h.open(1280, 800), bob: h.open(1280, 800)}
	s.bob.visit("hub/home")
	s.bob.logIn("bob")
	s.lab.visit("user/alice/lab")
	s.lab.logIn("alice")
	s.lab.awaitSockets(patience, func(open int) bool { return open > 0 })
	s.desk = s.lab.another()
	return s
}

// works opens a notebook, whose WebSockets are open from then on.
func (x *tab) works() {
	x.t.Helper()
	x.clicks(".jp-LauncherCard[data-category=Notebook]")
	x.sees(".jp-Notebook .jp-Cell .cm-content")
	x.awaitSockets(patience, func(open int) bool { return open > 0 })
}

// link makes a link to alice's server.
func (s *sharing) link() string {
	s.t.Helper()
	s.desk.visit("hub/shares")
	s.desk.presses("#make-link")
	link := s.desk.text("#share-link")
	if !strings.HasPrefix(link, s.url) {
		s.t.Fatalf("the link is %s", link)
	}
	return strings.TrimPrefix(link, s.url)
}

// accepts follows a link into alice's server.
func (s *sharing) accepts(link string) {
	s.t.Helper()
	s.bob.visit(link)
	s.bob.says("#main", "alice shares a server with you, bob")
	s.bob.picture("offer")
	s.bob.presses("#accept-share")
	s.bob.sees("#authorize")
	s.bob.presses("#authorize")
	s.bob.sees(".jp-LabShell")
	if status := s.status(kernels, s.bob.cookies(kernels)); status != 200 {
		s.t.Errorf("bob sees alice's JupyterLab, and its API says %d", status)
	}
}

// Alice shares her JupyterLab with bob by a link that she makes on the page of shares; bob accepts it and works in it. She takes it
// back, and he is out at once, with what he has open and with whatever cookies he has, and with a browser that her server has never
// seen; her server keeps its answers for five minutes, and neither that nor the proxy's restart lets him in. She works on and notices
// nothing. When she shares again he is in again at once.
func TestSharingAServer(t *testing.T) {
	s := visit(t).share()
	bob := s.bob
	bob.visit("user/alice/lab")
	bob.sees("#error-message")
	if status := s.status(kernels, bob.cookies(kernels)); status == 200 {
		t.Fatal("bob is in before anything is shared with him")
	}
	s.desk.visit("hub/shares")
	s.desk.picture("nothing-shared")
	link := s.link()
	s.desk.picture("link")
	s.accepts(link)
	bob.works()
	bob.picture("in-her-lab")
	held, open := bob.cookies(kernels), s.lab.openSockets()

	s.desk.visit("hub/shares")
	s.desk.says("#shared-by-me", "bob")
	s.desk.says("#share-codes", "once")
	s.desk.picture("shared")
	s.desk.presses(".revoke-code")
	s.desk.presses(".unshare")
	taken := time.Now()
	s.desk.says("#main", "You share no server with anybody")
	bob.awaitSockets(patience, func(open int) bool { return open == 0 })
	t.Logf("bob's WebSockets were open for another %s", time.Since(taken))
	bob = bob.another() // the one with the notebook asks whether it may be left
	s.bob = bob
	s.isOut(held)
	s.run("systemctl", "restart", "jupyterhub-proxy")
	s.isOut(held)
	for id := range open {
		if !s.lab.openSockets()[id] {
			t.Error("alice's WebSockets at her server were closed, too")
		}
	}

	anew := s.open(1280, 800)
	anew.visit("user/alice/lab")
	anew.logIn("bob")
	anew.sees("#error-message")
	anew.visit(link)
	anew.says("#main", "Share not found or expired")

	s.accepts(s.link())
	bob.visit("hub/home")
	bob.says("#shared", "alice")
	s.desk.visit("hub/shares")
	s.desk.mustBeQuiet("the page of shares")
	s.desk.resize(375, 720)
	s.desk.mustFit("the page of shares on a phone")
}

// isOut holds when bob's browser reaches the hub's refusal where alice's JupyterLab was, and cookies of before reach nothing.
func (s *sharing) isOut(held string) {
	s.t.Helper()
	for _, cookies := range []string{held, s.bob.cookies(kernels)} {
		if status := s.status(kernels, cookies); status != 403 {
			s.t.Errorf("alice's server answers bob with %d", status)
		}
	}
	s.bob.visit("user/alice/lab")
	s.bob.sees("#error-message")
	if at := s.bob.at(); !strings.HasPrefix(at, "hub/") {
		s.t.Errorf("bob is refused at %s, which is not the hub", at)
	}
}

// Alice and bob have keyboards and nothing else, and browsers that run no scripts. She makes a link, he accepts it and gives it up
// again; he accepts it once more, she takes her server back from him and revokes the link.
func TestSharingWithoutScripts(t *testing.T) {
	h := visit(t)
	h.configure("[hub]\nextra_user_scopes = [\"shares!user\"]\n[spawner.user.alice]\ncmd = [\"plain\"]\nargs = [\"{socket}\"]\n")
	hers := hub.ServerRef{User: "alice"}
	if _, err := h.hub.StartServer(t.Context(), hers, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	h.ready(hers)
	if err := h.hub.DeleteShareCodes(t.Context(), hers); err != nil { // of other plays
		t.Fatal(err)
	}
	alice, bob := h.open(1280, 800), h.open(1280, 800)
	for name, x := range map[string]*tab{"alice": alice, "bob": bob} {
		x.do(emulation.SetScriptExecutionDisabled(true))
		x.visit("hub/shares")
		x.logIn(name)
	}
	alice.goesTo("#make-link")
	alice.sees("#share-link")
	link := strings.TrimPrefix(alice.text("#share-link"), h.url)
	accepts := func() {
		bob.visit(link)
		bob.goesTo("#accept-share")
		bob.sees("#plain")
	}
	accepts()
	bob.visit("hub/shares")
	bob.says("#shared-with-me", "alice")
	bob.goesTo(".leave-share")
	bob.becomes(`document.querySelector("#main")?.innerText.includes("Nobody shares a server with you")`)
	accepts()
	alice.visit("hub/shares")
	alice.says("#shared-by-me", "bob")
	alice.says("#share-codes", "2 times")
	alice.goesTo(".unshare")
	alice.becomes(`document.querySelector("#main")?.innerText.includes("You share no server with anybody")`)
	alice.goesTo(".revoke-code")
	h.eventually("the link is revoked", func() bool {
		codes, err := h.hub.ShareCodes(t.Context(), hers)
		return err == nil && len(codes) == 0
	})
	alice.visit("hub/shares")
	alice.becomes(`document.querySelector("#main") && !document.querySelector("#share-codes")`)
	for name, x := range map[string]*tab{"alice": alice, "bob": bob} {
		x.mustBeQuiet("the pages of shares that " + name + " sees")
		x.resize(375, 720)
		x.visit("hub/shares")
		x.mustFit("the page of shares on a phone of " + name)
	}
}

// goesTo reaches an element by the tabulator, sees that it is there, and presses Enter.
func (x *tab) goesTo(selector string) {
	x.t.Helper()
	x.sees(selector)
	const stops = 100
	for range stops {
		x.keys(tabulator)
		if eval[bool](x, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			if outline := eval[string](x, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
				x.t.Errorf("one does not see that one is at %s", selector)
			}
			x.keys(enter)
			return
		}
	}
	x.picture("stuck")
	x.t.Fatalf("at %s the keyboard does not lead to %s in %d stops", x.at(), selector, stops)
}
