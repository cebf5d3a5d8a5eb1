package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"jupyterhubd/hub"
)

func TestSharesAreAccepted(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.put("bob", "gpu", hub.Stopped)
	alice := w.alice()
	p := alice.get("/hub/accept-share?code=good")
	p.want(http.StatusOK, "bob shares the server gpu with you, alice", "use servers through a browser", "of server bob/gpu", "Its owner starts it")
	if p.header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the address, which is the secret, is told to whoever a link leads to")
	}
	alice.submit(p, "accept-share", nil).wantLocation(http.StatusFound, "/user/bob/gpu/")
	if !slices.Contains(w.directory.said, "accept alice good") {
		t.Errorf("asked for %q", w.directory.said)
	}
	for next, want := range map[string]string{"/user/bob/gpu/lab/tree/x": "/user/bob/gpu/lab/tree/x", "https://mallory.example/": "/user/bob/gpu/", "//mallory.example": "/user/bob/gpu/"} {
		p := alice.get("/hub/accept-share?code=good&next=" + url.QueryEscape(next))
		alice.submit(p, "accept-share", nil).wantLocation(http.StatusFound, want)
	}
}

// A code that is none, or one's own, is refused as JupyterHub does; and nobody is made to accept: a form of another site, or a page
// of a server's, lacks the token.
func TestSharesThatAreNotAccepted(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.put("bob", "gpu", hub.Stopped)
	alice := w.alice()
	alice.get("/hub/accept-share").want(http.StatusBadRequest)
	alice.get("/hub/accept-share?code=none").want(http.StatusNotFound, "Share not found or expired")
	p := alice.get("/hub/accept-share?code=good")
	form := formValues(elements(p.root, "form")[len(elements(p.root, "form"))-1], "")
	alice.post("/hub/accept-share?code=good", with(form, "code", "none")).want(http.StatusBadRequest, "Share not found or expired")
	alice.post("/hub/accept-share?code=good", with(form, "_xsrf", "planted")).want(http.StatusForbidden)
	if len(w.directory.said) > 0 {
		t.Errorf("asked for %q", w.directory.said)
	}
	w.browser().get("/hub/accept-share?code=good").wantLocation(http.StatusFound, "/hub/login?next=%2Fhub%2Faccept-share%3Fcode%3Dgood")
}
