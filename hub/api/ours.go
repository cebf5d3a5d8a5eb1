package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// reload answers POST /hub/api/reload, which is ours: `systemctl reload jupyterhub` ends up here. A mistake in a
// configuration file is a 400 that holds them all.
func (room *Room) reload(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var check bool
	if err := body.into("check", &check, "true or false"); err != nil {
		return err
	}
	changes, err := room.Daemon.Reload(r.Context(), check)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, client.ReloadReply{Changes: append([]string{}, changes...)})
}

// backupTime is how long a backup may take to leave: the store keeps the pages of that moment until it has.
const backupTime = 10 * time.Minute

// backup answers GET /hub/api/backup, which is ours. The file holds the key that XSRF tokens are signed with, so it leaves
// by the admin socket alone, whatever scopes a token has.
func (room *Room) backup(w http.ResponseWriter, r *http.Request) error {
	if auth.FromContext(r.Context()).Via != auth.Peer {
		return hub.Errorf(hub.Forbidden, "A backup is given out on this machine alone: jupyterhub backup FILE")
	}
	if err := http.NewResponseController(w).SetWriteDeadline(room.Now().Add(backupTime)); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, err := room.Store.Backup(w)
	return err
}

// usage answers GET /hub/api/usage, which is ours: what each running server consumes now, by "user/server".
func (room *Room) usage(w http.ResponseWriter, r *http.Request) error {
	units, err := room.Workshop.Usage(r.Context())
	if err != nil {
		return err
	}
	out := make(map[string]client.ServerState, len(units))
	for ref, unit := range units {
		s := client.ServerState{Unit: unit.Name, State: string(unit.State), UID: unit.UID}
		fillUsage(&s, unit)
		out[ref.String()] = s
	}
	return writeJSON(w, http.StatusOK, out)
}

// roles answers GET /hub/api/roles, which is ours: the roles that exist, what they allow, and to whom the configuration gives them.
func (room *Room) roles(w http.ResponseWriter, _ *http.Request) error {
	list := []client.Role{}
	for _, r := range room.Policy().Roles() {
		list = append(list, client.Role{Name: r.Name, Description: r.Description, Scopes: orEmpty(r.Scopes),
			Users: orEmpty(r.Users), Services: orEmpty(r.Services), Groups: orEmpty(r.Groups)})
	}
	return writeJSON(w, http.StatusOK, list)
}

// fillUsage writes into a server's state what its unit uses.
func fillUsage(s *client.ServerState, unit hub.Unit) {
	s.Memory, s.CPU, s.Tasks = known(unit.Memory), known(unit.CPU), known(unit.Tasks)
	if unit.Used != nil {
		s.MemoryPeak, s.TasksPeak = known(unit.Used.MemoryPeak), known(unit.Used.TasksPeak)
		s.Swap, s.IORead, s.IOWritten = known(unit.Used.Swap), known(unit.Used.IORead), known(unit.Used.IOWritten)
	}
}

// usageTime is how long a model waits for what a server uses; without it it is a model all the same.
const usageTime = 2 * time.Second

// withUsage lets a reader who may see the state of servers see what they use too, if the request asks for it, or is about one of
// them: systemd is asked once, about all.
func (room *Room) withUsage(r *http.Request, by reader, asked bool) reader {
	if !asked && !r.URL.Query().Has("include_usage") || !by.scopes.HasAny("admin:server_state") {
		return by
	}
	ctx, cancel := context.WithTimeout(r.Context(), usageTime)
	defer cancel()
	by.used, _ = room.Workshop.Usage(ctx) // the numbers are absent then, ignoring
	return by
}

// known turns "-1 is unknown" into "absent is unknown".
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// checkAccounts answers POST /hub/api/accounts/check, which is ours: the accounts of everybody whose servers run are looked at again.
// The idle culler asks for it at each pass.
func (room *Room) checkAccounts(w http.ResponseWriter, r *http.Request) error {
	users := map[string]bool{}
	for _, live := range room.Workshop.Active() {
		users[live.User] = true
	}
	ended, err := room.Doorman.CheckAccounts(r.Context(), slices.Sorted(maps.Keys(users)))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, client.AccountsReply{Checked: len(users), Ended: ended})
}
