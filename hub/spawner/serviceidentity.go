package spawner

import (
	"cmp"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/store"
)

// serviceUnits begins the names of the units that run services; no server's unit is called so.
const serviceUnits = "jupyterhub-service-"

// serviceNote marks the token that a service's unit was given at its last start.
const serviceNote = "Given to the service at its start"

// answerServiceIdentity makes a service's identity anew when its unit starts: a token in place of the one that it was given before,
// which is its OAuth client's secret as well, and JupyterHub's contract with services as an environment.
func (m *Manager) answerServiceIdentity(unit string) (answer []byte, err error) {
	err = m.store.Update(func(tx *store.Tx) error {
		services := tx.Services()
		i := slices.IndexFunc(services, func(s hub.Service) bool { return s.Unit == unit })
		if i < 0 {
			return hub.Errorf(hub.NotFound, "no service runs as %s", unit)
		}
		s, owner := services[i], hub.Owner{Kind: hub.OwnerService, Name: services[i].Name}
		for _, t := range tx.Tokens(owner) {
			if t.Note == serviceNote {
				if err := tx.DeleteToken(t.ID); err != nil {
					return err
				}
			}
		}
		value, _, err := tx.NewToken(hub.Token{Owner: owner, Scopes: []string{"inherit"}, Note: serviceNote})
		if err != nil {
			return err
		}
		client, err := tx.ClientOfService(s.Name)
		if err == nil {
			err = tx.PutClient(client, value)
		}
		if err != nil && hub.KindOf(err) != hub.NotFound {
			return err
		}
		answer, err = credential.Encode(m.serviceEnvironment(s, client, value))
		return err
	})
	return answer, err
}

// serviceEnvironment is JupyterHub's contract with the services that it runs itself.
func (m *Manager) serviceEnvironment(s hub.Service, client hub.Client, token string) credential.Environment {
	u, prefix := m.urls, m.urls.service(s.Name)
	access := list("access:services", "access:services!service="+s.Name)
	env := credential.Environment{
		"JUPYTERHUB_API_TOKEN":                   token,
		"JUPYTERHUB_API_URL":                     u.api(),
		"JUPYTERHUB_BASE_URL":                    u.Base,
		"JUPYTERHUB_CLIENT_ID":                   client.ID,
		"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED":  map[bool]string{false: "0", true: "1"}[u.CookieHostPrefix],
		"JUPYTERHUB_HOST":                        u.Public,
		"JUPYTERHUB_OAUTH_ACCESS_SCOPES":         access,
		"JUPYTERHUB_OAUTH_CALLBACK_URL":          client.RedirectURI,
		"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": list(client.AllowedScopes...),
		"JUPYTERHUB_OAUTH_SCOPES":                access,
		"JUPYTERHUB_PUBLIC_HUB_URL":              "",
		"JUPYTERHUB_PUBLIC_URL":                  "",
		"JUPYTERHUB_SERVICE_NAME":                s.Name,
		"JUPYTERHUB_SERVICE_PREFIX":              prefix,
		"JUPYTERHUB_SERVICE_URL":                 strings.TrimSuffix(s.URL, "/"),
	}
	if u.Public != "" {
		env["JUPYTERHUB_PUBLIC_HUB_URL"] = u.Public + u.Base + "hub/"
		env["JUPYTERHUB_PUBLIC_URL"] = cmp.Or(u.Hosts.Service(s.Name), u.Public) + prefix
	}
	return env
}
