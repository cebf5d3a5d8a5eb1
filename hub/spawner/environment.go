package spawner

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/store"
)

// activityScope lets a server report that it is used. A server's token always has it.
const activityScope = "users:activity!user"

// roleServer is the scopes of JupyterHub's role of that name.
var roleServer = []string{activityScope, "access:servers!server"}

// tokenScopes returns the scopes of a server's own token; "!server" means this server.
func (p Policy) tokenScopes(ref hub.ServerRef) []string {
	scopes := slices.Clone(p.ServerTokenScopes)
	if len(scopes) == 0 {
		scopes = slices.Clone(roleServer)
	}
	if !slices.Contains(scopes, activityScope) {
		scopes = append(scopes, activityScope)
	}
	for i, s := range scopes {
		if strings.HasSuffix(s, "!server") {
			scopes[i] = s + "=" + ref.String()
		}
	}
	return scopes
}

// clientID returns the id of a server's OAuth client, which is also the name of its cookie.
func clientID(ref hub.ServerRef) string {
	id := "jupyterhub-user-" + quote(ref.User, "_.-~/")
	if ref.Server != "" {
		id += "-" + quote(ref.Server, "_.-~/")
	}
	return id
}

// otherClientID is for a server whose id is taken: user a-b and server b of user a have the same.
func otherClientID(ref hub.ServerRef) string {
	sum := sha256.Sum256([]byte(ref.String()))
	return clientID(ref) + "~" + hex.EncodeToString(sum[:4])
}

// identity makes a server's identity anew and returns it: token, OAuth client with the token as its secret, environment.
// What it had before opens nothing any more. Only hashes are stored.
func (m *Manager) identity(tx *store.Tx, policy Policy, ref hub.ServerRef) (credential.Environment, error) {
	prefix := m.urls.Prefix(ref)
	client := hub.Client{
		ID: clientID(ref), Server: ref, RedirectURI: m.urls.Server(ref) + "oauth_callback",
		AllowedScopes: policy.OAuthClientAllowedScopes, Description: "Server at " + prefix,
	}
	if taken, err := tx.Client(client.ID); err == nil && taken.Server != ref {
		client.ID = otherClientID(ref)
	}
	value, _, err := tx.NewServerToken(ref, hub.Token{
		Owner: hub.Owner{Kind: hub.OwnerUser, Name: ref.User}, Scopes: policy.tokenScopes(ref), Note: client.Description,
	})
	if err == nil {
		err = tx.PutClient(client, value)
	}
	return m.environment(policy, ref, client, value), err
}

// revoke takes a server's identity away: its token, and its OAuth client with all that was issued through it.
func revoke(tx *store.Tx, ref hub.ServerRef) error {
	if err := tx.DeleteServerToken(ref); err != nil {
		return err
	}
	for _, id := range []string{clientID(ref), otherClientID(ref)} {
		if c, err := tx.Client(id); err != nil || c.Server != ref {
			continue
		}
		if err := tx.DeleteClient(id); err != nil {
			return err
		}
	}
	return nil
}

// environment is JupyterHub's contract with jupyterhub-singleuser, the part that says who the server is. What it may use
// and where it works is root's to say.
func (m *Manager) environment(policy Policy, ref hub.ServerRef, client hub.Client, token string) credential.Environment {
	u, prefix := m.urls, m.urls.Prefix(ref)
	access := list("access:servers!server="+ref.String(), "access:servers!user="+ref.User)
	env := credential.Environment{
		"JPY_API_TOKEN":                          token,
		"JUPYTERHUB_ACTIVITY_URL":                u.api() + "/users/" + EscapeName(ref.User) + "/activity",
		"JUPYTERHUB_API_TOKEN":                   token,
		"JUPYTERHUB_API_URL":                     u.api(),
		"JUPYTERHUB_BASE_URL":                    u.Base,
		"JUPYTERHUB_CLIENT_ID":                   client.ID,
		"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED":  map[bool]string{false: "0", true: "1"}[u.CookieHostPrefix],
		"JUPYTERHUB_HOST":                        u.Public,
		"JUPYTERHUB_OAUTH_ACCESS_SCOPES":         access,
		"JUPYTERHUB_OAUTH_CALLBACK_URL":          client.RedirectURI,
		"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": list(policy.OAuthClientAllowedScopes...),
		"JUPYTERHUB_OAUTH_SCOPES":                access,
		"JUPYTERHUB_PUBLIC_HUB_URL":              "",
		"JUPYTERHUB_PUBLIC_URL":                  "",
		"JUPYTERHUB_SERVER_NAME":                 ref.Server,
		"JUPYTERHUB_SERVICE_PREFIX":              prefix,
		"JUPYTERHUB_SERVICE_URL":                 serverAddress + prefix,
		"JUPYTERHUB_USER":                        ref.User,
	}
	if u.Public != "" {
		env["JUPYTERHUB_PUBLIC_HUB_URL"] = u.Public + u.Base + "hub/"
		env["JUPYTERHUB_PUBLIC_URL"] = cmp.Or(u.Hosts.User(ref.User), u.Public) + prefix
	}
	return env
}

// list writes strings as a JSON array; none is [].
func list(items ...string) string {
	b, err := json.Marshal(append([]string{}, items...))
	if err != nil {
		panic("spawner: " + err.Error()) // strings always encode
	}
	return string(b)
}
