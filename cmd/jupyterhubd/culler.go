package main

import (
	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// The idle culler is a service like any other: it calls the REST API with a token of its own, which its unit fetches as a
// credential. Only its role is ours to say.
const (
	cullerService = "idle-culler"
	cullerUnit    = "jupyterhub-idle-culler.service"
)

// cullerRole is what JupyterHub's manual gives the culler; removing users takes more.
func cullerRole(removesUsers bool) rbac.Role {
	role := rbac.Role{
		Name:        cullerService,
		Description: "Stop servers that nobody uses",
		Scopes:      []string{"list:users", "read:users:activity", "read:servers", "delete:servers"},
	}
	if removesUsers {
		role.Scopes = append(role.Scopes, "admin:users")
	}
	return role
}

// registerCuller makes the service known.
func registerCuller(tx *store.Tx) error {
	return tx.PutService(hub.Service{Name: cullerService, Roles: []string{cullerService}, Unit: cullerUnit, Configured: true})
}
