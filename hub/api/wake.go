package api

import (
	"net/http"

	"jupyterhubd/hub"
)

// wake answers POST …/wake, which is ours: the proxy asks, when somebody comes to a server that sleeps. The proxy has no
// scopes; it shows the key that stands in the route which it was given.
func (room *Room) wake(w http.ResponseWriter, r *http.Request) error {
	key := r.URL.Query().Get("key")
	if key == "" {
		return hub.Errorf(hub.Forbidden, "Only the proxy wakes servers. Go to the server's own address, and it wakes.")
	}
	if err := room.Workshop.Wake(r.Context(), refOf(r), key); err != nil {
		return err
	}
	return nothing(w)
}
