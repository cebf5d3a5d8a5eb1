package compat

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/oauth2"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// A client that knows nothing of JupyterHub but its two addresses logs alice in: golang.org/x/oauth2 with PKCE, which tries
// HTTP Basic for its secret first.
func TestGenericOAuthClient(t *testing.T) {
	w := square(t)
	codes := make(chan [2]string, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		codes <- [2]string{r.FormValue("code"), r.FormValue("state")}
		io.WriteString(w, "welcome")
	}))
	t.Cleanup(callback.Close)
	w.update(func(tx *store.Tx) error {
		if err := tx.PutService(hub.Service{Name: "generic", NoConfirm: true}); err != nil {
			return err
		}
		return tx.PutClient(hub.Client{ID: "service-generic", Service: "generic", RedirectURI: callback.URL, NoConfirm: true, Description: "a generic client"}, "secret-of-the-generic-client")
	})
	for name, style := range map[string]oauth2.AuthStyle{"finding out": oauth2.AuthStyleAutoDetect, "in the body": oauth2.AuthStyleInParams} {
		client := oauth2.Config{
			ClientID: "service-generic", ClientSecret: "secret-of-the-generic-client", RedirectURL: callback.URL,
			Endpoint: oauth2.Endpoint{AuthURL: w.front + "/hub/api/oauth2/authorize", TokenURL: w.front + "/hub/api/oauth2/token", AuthStyle: style},
		}
		verifier := oauth2.GenerateVerifier()
		if status, at, page := w.visit(w.login("alice"), http.MethodGet, client.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)), nil); page != "welcome" {
			t.Fatalf("%s: alice is led to %s: %d %.300s", name, at, status, page)
		}
		got := <-codes
		if got[1] != "a state" {
			t.Errorf("%s: the state comes back as %q", name, got[1])
		}
		if _, err := client.Exchange(t.Context(), got[0], oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
			t.Errorf("%s: another verifier is good as well", name)
		}
		token, err := client.Exchange(t.Context(), got[0], oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if status, page := w.get(client.Client(t.Context(), token), "/hub/api/user", ""); status != http.StatusOK {
			t.Errorf("%s: the token opens %d %s", name, status, page)
		}
	}
}
