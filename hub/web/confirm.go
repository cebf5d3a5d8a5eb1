package web

import (
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
)

// confirmPage asks whether an application may act for the user.
type confirmPage struct {
	Layout
	Client hub.Client
	Lines  []rbac.Description
	Scopes []string
}

// RenderConfirm asks a person whether a client may have what it asks for. The form posts to the address it came from.
func (room *Room) RenderConfirm(w http.ResponseWriter, r *http.Request, c hub.Client, lines []rbac.Description, scopes []string) error {
	return room.show(w, http.StatusOK, "confirm", confirmPage{room.layout(w, r, "confirm", "Authorize access"), c, lines, scopes})
}
