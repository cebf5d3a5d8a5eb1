package spawner_test

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/store"
)

// apart gives users and services of a house hosts below the hub's, before it is opened.
func (h *house) apart() {
	h.t.Helper()
	all, err := hosts.New("https://hub.example:8443", hosts.IDNA)
	if err != nil {
		h.t.Fatal(err)
	}
	h.options.URLs.Base, h.options.URLs.Public, h.options.URLs.Hosts, h.options.URLs.CookieHostPrefix = "/jh/", all.Hub(), all, true
}

// Routes lead from the host of whoever is there, and the hub has all the rest, whatever the base URL.
func TestRoutesOfSeveralHosts(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.update(func(tx *store.Tx) error {
			return tx.PutService(hub.Service{Name: "wi_ki", URL: "http://127.0.0.1:9000"})
		})
		h.router.Put(hub.Route{Spec: "/jh/user/alice/", Target: "http+unix://x", Server: alice}) // of before there were hosts
		h.RedoRoutes()
		h.run(alice)
		h.run(aliceLab)
		want := []string{"alice.hub.example/jh/user/alice/", "alice.hub.example/jh/user/alice/lab/", "u-wiki--9949183--service.hub.example/jh/services/wi_ki/"}
		h.routed(want...)
		routes, err := h.router.Routes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes {
			if r.Hub && r.Spec != "/" {
				t.Errorf("the hub has the route %s", r.Spec)
			}
		}
		if _, err := h.Stop(t.Context(), aliceLab); err != nil {
			t.Fatal(err)
		}
		h.routed(want[0], want[2])
		if live, err := h.Server(alice); err != nil || live.URL != "https://alice.hub.example:8443/jh/user/alice/" {
			t.Errorf("alice's server is at %s, %v", live.URL, err)
		}
	}, (*house).apart)
}

// Servers and services are told where they are and where the hub is: JupyterHub's contract has these for several hosts.
func TestIdentityAtSeveralHosts(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(aliceLab)
		told(t, h.identify(aliceLab), credential.Environment{
			"JUPYTERHUB_HOST":                       "https://hub.example:8443",
			"JUPYTERHUB_OAUTH_CALLBACK_URL":         "https://alice.hub.example:8443/jh/user/alice/lab/oauth_callback",
			"JUPYTERHUB_PUBLIC_HUB_URL":             "https://hub.example:8443/jh/hub/",
			"JUPYTERHUB_PUBLIC_URL":                 "https://alice.hub.example:8443/jh/user/alice/lab/",
			"JUPYTERHUB_SERVICE_PREFIX":             "/jh/user/alice/lab/",
			"JUPYTERHUB_SERVICE_URL":                "http://127.0.0.1:8888/jh/user/alice/lab/",
			"JUPYTERHUB_API_URL":                    "http://127.0.0.1:8081/jh/hub/api",
			"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1",
		})
		h.update(func(tx *store.Tx) error {
			c, err := tx.Client("jupyterhub-user-alice-lab")
			if err == nil && c.RedirectURI != "https://alice.hub.example:8443/jh/user/alice/lab/oauth_callback" {
				t.Errorf("a login ends at %s", c.RedirectURI)
			}
			return err
		})
		const unit = "jupyterhub-service-wiki.service"
		h.update(func(tx *store.Tx) error {
			return tx.PutService(hub.Service{Name: "wiki", URL: "http://127.0.0.1:9000", Unit: unit})
		})
		b, err := h.Credential(t.Context(), unit, credential.Name)
		if err != nil {
			t.Fatal(err)
		}
		env, err := credential.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		told(t, env, credential.Environment{"JUPYTERHUB_HOST": "https://hub.example:8443", "JUPYTERHUB_SERVICE_PREFIX": "/jh/services/wiki/",
			"JUPYTERHUB_PUBLIC_URL": "https://wiki--service.hub.example:8443/jh/services/wiki/"})
	}, (*house).apart)
}

func told(t *testing.T, got, want credential.Environment) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}
