package api_test

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/store"
)

// What users and services have hosts for is told with the whole address, as JupyterHub does; what is the hub's, as a path and in full.
func TestAddressesAtSeveralHosts(t *testing.T) {
	all, err := hosts.New("https://hub.example:8443", hosts.IDNA)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *api.Options) { o.Hosts, o.PublicOrigin = all, all.Hub() })
	w.shop.hosts = all
	alice, admin := w.token("alice"), w.token("admin")
	const at = "https://alice.hub.example:8443/user/alice/"
	w.ask(alice, "POST", "/hub/api/users/alice/server").is(201)
	w.ask(alice, "GET", "/hub/api/users/alice").is(200, `"server":"`+at+`"`, `"url":"`+at+`"`, `"full_url":"`+at+`"`,
		`"progress_url":"/hub/api/users/alice/server/progress"`, `"full_progress_url":"https://hub.example:8443/hub/api/users/alice/server/progress"`)
	w.ask(admin, "POST", "/hub/api/shares/alice/", `{"user":"bob"}`).is(200, `"url":"`+at+`"`, `"full_url":"`+at+`"`)
	w.ask(admin, "POST", "/hub/api/share-codes/alice/").is(200, `"accept_url":"/hub/accept-share?code=`, `"full_accept_url":"https://hub.example:8443/hub/accept-share?code=`)
	w.ask(admin, "POST", "/hub/api/services/grader", `{"url":"http://127.0.0.1:9000","api_token":"graders-token"}`).is(201, `"prefix":"/services/grader/"`)
	w.update(func(tx *store.Tx) error {
		c, err := tx.Client("service-grader")
		if err == nil && c.RedirectURI != "https://grader--service.hub.example:8443/services/grader/oauth_callback" {
			t.Errorf("a login at the service ends at %s", c.RedirectURI)
		}
		return err
	})
	if s := w.shop.state(hub.ServerRef{User: "alice"}); s != hub.Running {
		t.Errorf("the server is %s", s)
	}
}
