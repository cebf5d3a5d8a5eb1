package spawner_test

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/store"
)

// A service's unit is given a token at each start, which is its OAuth client's secret too; the one of the start before opens nothing.
func TestAServicesIdentity(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		const unit = "jupyterhub-service-wiki.service"
		h.update(func(tx *store.Tx) error {
			if err := tx.PutService(hub.Service{Name: "wiki", URL: "http://127.0.0.1:9000", Unit: unit}); err != nil {
				return err
			}
			return tx.PutClient(hub.Client{ID: "service-wiki", Service: "wiki", RedirectURI: "/services/wiki/oauth_callback"}, "nobody's secret")
		})
		identify := func() credential.Environment {
			b, err := h.Credential(t.Context(), unit, credential.Name)
			if err != nil {
				t.Fatal(err)
			}
			env, err := credential.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			return env
		}
		first, second := identify(), identify()
		for name, want := range map[string]string{"JUPYTERHUB_SERVICE_NAME": "wiki", "JUPYTERHUB_SERVICE_PREFIX": "/services/wiki/",
			"JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:9000", "JUPYTERHUB_CLIENT_ID": "service-wiki", "JUPYTERHUB_USER": "",
			"JUPYTERHUB_OAUTH_ACCESS_SCOPES": `["access:services","access:services!service=wiki"]`} {
			if second[name] != want {
				t.Errorf("%s is %q, want %q", name, second[name], want)
			}
		}
		h.update(func(tx *store.Tx) error {
			if _, err := tx.TokenByValue(first["JUPYTERHUB_API_TOKEN"]); hub.KindOf(err) != hub.NotFound {
				t.Errorf("the former token: %v", err)
			}
			if err := tx.CheckClientSecret("service-wiki", second["JUPYTERHUB_API_TOKEN"]); err != nil {
				t.Errorf("the client's secret is another: %v", err)
			}
			got, err := tx.TokenByValue(second["JUPYTERHUB_API_TOKEN"])
			if got.Owner != (hub.Owner{Kind: hub.OwnerService, Name: "wiki"}) {
				t.Errorf("the token is %+v", got)
			}
			return err
		})
		for _, q := range [][2]string{{"jupyterhub-service-nobody.service", "environment"}, {"jupyterhub-service-.service", "environment"}} {
			if b, err := h.Credential(t.Context(), q[0], q[1]); hub.KindOf(err) != hub.NotFound || b != nil {
				t.Errorf("%q: %q, %v", q, b, err)
			}
		}
	})
}
