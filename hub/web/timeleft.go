package web

import (
	"encoding/json"
	"net/http"
	"time"
)

// timeLeft answers GET /hub/time-left/U[/S]: how long a server may run on, for the page of the server itself. The files below
// labextension/time-left ask; they are installed where every JupyterLab of the machine finds them. A server that may run for ever, or
// does not run, has nothing to tell.
func (room *Room) timeLeft(w http.ResponseWriter, r *http.Request) error {
	live, err := room.Workshop.Server(refOf(r))
	if err != nil {
		return err
	}
	var answer struct {
		Left int64 `json:"left_seconds,omitempty"`
	}
	if ends := live.Unit.Until; live.State.Active() && !ends.IsZero() {
		answer.Left = max(1, int64(ends.Sub(room.Now())/time.Second))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(answer)
}
