package varlink

import _ "embed"

// The names of the interfaces behind the locked doors.
const (
	Spawner       = "org.jupyterhub.Spawner"
	Authenticator = "org.jupyterhub.Authenticator"
)

// SpawnerInterface is the published interface of the door to jupyterhub-spawnd.
//
//go:embed org.jupyterhub.Spawner.varlink
var SpawnerInterface string

// AuthenticatorInterface is the published interface of the doors to jupyterhub-pam.
//
//go:embed org.jupyterhub.Authenticator.varlink
var AuthenticatorInterface string
