package credential

// Name is the credential's name in a user's unit (LoadCredential=environment:…).
const Name = "environment"

// allowed is every variable that the hub may set in a user's server: the identity part of JupyterHub's contract with
// jupyterhub-singleuser. Limits, directories, PATH and whatever changes how programs are loaded are root's to set, so a
// hub that was taken over cannot.
var allowed = map[string]bool{
	"JPY_API_TOKEN":                          true, // JUPYTERHUB_API_TOKEN's name before 0.7.2, still read by the subclass mode
	"JUPYTERHUB_ACTIVITY_URL":                true,
	"JUPYTERHUB_ADMIN_ACCESS":                true,
	"JUPYTERHUB_API_TOKEN":                   true,
	"JUPYTERHUB_API_URL":                     true,
	"JUPYTERHUB_BASE_URL":                    true,
	"JUPYTERHUB_CLIENT_ID":                   true,
	"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED":  true,
	"JUPYTERHUB_COOKIE_OPTIONS":              true,
	"JUPYTERHUB_HOST":                        true,
	"JUPYTERHUB_OAUTH_ACCESS_SCOPES":         true,
	"JUPYTERHUB_OAUTH_CALLBACK_URL":          true,
	"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": true,
	"JUPYTERHUB_OAUTH_SCOPES":                true,
	"JUPYTERHUB_PUBLIC_HUB_URL":              true,
	"JUPYTERHUB_PUBLIC_URL":                  true,
	"JUPYTERHUB_SERVER_NAME":                 true,
	"JUPYTERHUB_SERVICE_NAME":                true,
	"JUPYTERHUB_SERVICE_PREFIX":              true,
	"JUPYTERHUB_SERVICE_URL":                 true,
	"JUPYTERHUB_USER":                        true,
}

// Allowed reports whether the hub may set the variable.
func Allowed(name string) bool { return allowed[name] }
