package api

import (
	"net/http"
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// listServices answers GET /hub/api/services: an object by name, never in pages (specification 1.2).
func (room *Room) listServices(w http.ResponseWriter, r *http.Request) error {
	a := auth.FromContext(r.Context())
	far := a.Scopes.Horizon("list:services")
	var services []hub.Service
	err := room.Store.View(func(tx *store.Tx) error {
		services = tx.Services()
		return nil
	})
	if err != nil {
		return err
	}
	models := map[string]client.Service{}
	for _, s := range services {
		if far.All || slices.Contains(far.Services, s.Name) {
			models[s.Name] = room.serviceModel(readerOf(a), s)
		}
	}
	return writeJSON(w, http.StatusOK, models)
}

// showService answers GET /hub/api/services/X.
func (room *Room) showService(w http.ResponseWriter, r *http.Request) error {
	var s hub.Service
	err := room.Store.View(func(tx *store.Tx) (err error) {
		s, err = tx.Service(r.PathValue("service"))
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, room.serviceModel(readerOf(auth.FromContext(r.Context())), s))
}
