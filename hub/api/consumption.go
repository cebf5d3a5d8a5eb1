package api

import (
	"net/http"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// usageDays answers GET /hub/api/usage/days, which is ours: what every user's servers used, by day, from ?first= to ?last=.
func (room *Room) usageDays(w http.ResponseWriter, r *http.Request) error {
	return room.consumption(w, r, func(tx *store.Tx, first, last string) ([]hub.Consumption, error) {
		return tx.UsageOfAll(first, last)
	})
}

// usageOfUser answers GET /hub/api/users/U/usage, which is ours: the same of one user.
func (room *Room) usageOfUser(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("user")
	if err := room.known(name); err != nil {
		return err
	}
	return room.consumption(w, r, func(tx *store.Tx, first, last string) ([]hub.Consumption, error) {
		return tx.Usage(name, first, last)
	})
}

func (room *Room) consumption(w http.ResponseWriter, r *http.Request, read func(tx *store.Tx, first, last string) ([]hub.Consumption, error)) error {
	first, err := day(r, "first")
	if err != nil {
		return err
	}
	last, err := day(r, "last")
	if err != nil {
		return err
	}
	reply := client.Consumptions{Days: []hub.Consumption{}}
	err = room.Store.View(func(tx *store.Tx) error {
		days, err := read(tx, first, last)
		reply.Days = append(reply.Days, days...)
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, reply)
}

// day reads a day of the query; without one it is "", no bound.
func day(r *http.Request, name string) (string, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return "", nil
	}
	if _, err := time.Parse(hub.DayFormat, text); err != nil {
		return "", hub.Errorf(hub.Invalid, "%s wants a day such as 2026-11-24", name)
	}
	return text, nil
}
