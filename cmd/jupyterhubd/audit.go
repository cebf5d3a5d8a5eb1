package main

import (
	"strconv"
	"strings"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub/httpd"
)

// audit writes what somebody did into the journal. docs/security.md tells of the fields.
func (h *house) audit(d httpd.Deed) {
	who := d.Who
	if who == "" {
		who = "somebody unknown"
	}
	message := who + ": " + d.What
	if len(d.On) > 0 {
		message += " (" + strings.Join(d.On, ", ") + ")"
	}
	h.daemon.Audit(message+": "+strconv.Itoa(d.Status), []daemon.Field{
		{Name: "JUPYTERHUB_WHO", Value: d.Who},
		{Name: "JUPYTERHUB_VIA", Value: d.Via},
		{Name: "JUPYTERHUB_TOKEN_ID", Value: d.Token},
		{Name: "JUPYTERHUB_WHAT", Value: d.What},
		{Name: "JUPYTERHUB_ON", Value: strings.Join(d.On, ", ")},
		{Name: "JUPYTERHUB_FROM", Value: d.From},
		{Name: "JUPYTERHUB_STATUS", Value: strconv.Itoa(d.Status)},
		{Name: "JUPYTERHUB_REQUEST", Value: d.Request},
	})
}
