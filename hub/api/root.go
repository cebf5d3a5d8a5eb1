package api

import (
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// version answers GET /hub/api, which everybody may ask, scripts of other origins too (the hall's header says so). Single-user
// servers read another header that the hall sets, the idle culler the body.
func (room *Room) version(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, client.Version{Version: hub.APIVersion})
}

// info answers GET /hub/api/info.
func (room *Room) info(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, client.Info{
		Version: hub.APIVersion, Python: "", SysExecutable: "",
		Spawner: room.Parts.Spawner, Authenticator: room.Parts.Authenticator,
	})
}

// shutdown answers POST /hub/api/shutdown. Servers outlive the hub unless the caller says otherwise.
func (room *Room) shutdown(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var proxy, servers *bool
	if err := body.into("proxy", &proxy, "true or false"); err != nil {
		return err
	}
	if err := body.into("servers", &servers, "true or false"); err != nil {
		return err
	}
	room.Daemon.Shutdown(servers)
	return writeJSON(w, http.StatusAccepted, map[string]string{"message": "Shutting down Hub"})
}
