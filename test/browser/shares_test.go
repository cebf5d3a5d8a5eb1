package browser

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Alice shares her JupyterLab with bob by a link that she makes on the page of shares; bob accepts it and works in it. She takes it
// back, and he is out: at once with a browser that her server has not seen, with the one that he has open when her server asks the
// hub again, which it is told here to do every second instead of every five minutes.
func TestSharingAServer(t *testing.T) {
	h := visit(t)
	h.configure("[hub]\nextra_user_scopes = [\"shares!user\"]\n[spawner.user.alice]\nargs = [\"--HubOAuth.cache_max_age=1\"]\n")
	hers := hub.ServerRef{User: "alice"}
	if _, err := h.hub.StartServer(t.Context(), hers, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	h.ready(hers)

	alice, bob := h.open(1280, 800), h.open(1280, 800)
	bob.visit("hub/home")
	bob.logIn("bob")
	const kernels = "user/alice/api/kernels"
	bob.visit("user/alice/lab")
	bob.sees("#error-message")
	if status := h.status(kernels, bob.cookies(kernels)); status == 200 {
		t.Fatal("bob is in before anything is shared with him")
	}

	alice.visit("hub/shares")
	alice.logIn("alice")
	alice.picture("nothing-shared")
	alice.presses("#make-link")
	link := alice.text("#share-link")
	if !strings.HasPrefix(link, h.url) {
		t.Fatalf("the link is %s", link)
	}
	alice.picture("link")
	bob.visit(strings.TrimPrefix(link, h.url))
	bob.says("#main", "alice shares a server with you, bob")
	bob.picture("offer")
	bob.presses("#accept-share")
	bob.sees("#authorize")
	bob.presses("#authorize")
	bob.sees(".jp-LauncherCard[data-category=Notebook]")
	bob.picture("in-her-lab")
	if !bob.became(200, kernels) {
		t.Error("bob sees alice's JupyterLab, and has no API")
	}
	bob.visit("hub/home")
	bob.says("#shared", "alice")

	alice.visit("hub/shares")
	alice.says("#shared-by-me", "bob")
	alice.says("#share-codes", "once")
	alice.picture("shared")
	alice.presses(".revoke-code")
	alice.presses(".unshare")
	alice.says("#main", "You share no server with anybody")
	alice.mustBeQuiet("the page of shares")
	alice.resize(375, 720)
	alice.mustFit("the page of shares on a phone")

	anew := h.open(1280, 800)
	anew.visit("user/alice/lab")
	anew.logIn("bob")
	anew.sees("#error-message")
	anew.visit(strings.TrimPrefix(link, h.url))
	anew.says("#main", "Share not found or expired")
	if !bob.became(403, kernels) {
		t.Error("bob's browser is let in though nothing is shared any more")
	}
}
