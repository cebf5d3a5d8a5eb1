package main

import (
	"os"

	"jupyterhubd/cmd/internal/daemon"
)

// The names of our doors, as FileDescriptorName= in the socket units says them.
const (
	doorHub         = "hub"
	doorAPI         = "api"
	doorAdmin       = "admin"
	doorCredentials = "credentials"
)

func main() {
	os.Exit(daemon.Main(daemon.Program{
		Name: "jupyterhubd",
		Doors: map[string]string{
			doorHub:         "jupyterhub-hub.socket",
			doorAPI:         "jupyterhub-api.socket",
			doorAdmin:       "jupyterhub-admin.socket",
			doorCredentials: "jupyterhub-credentials.socket",
		},
		Run: run,
	}))
}
