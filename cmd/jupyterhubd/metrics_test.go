package main

import (
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/store"
)

// notOurs are metrics of JupyterHub's that the hub does not have, with the reason that docs/compatibility.md gives.
var notOurs = map[string]string{
	"jupyterhub_event_loop_interval_seconds":  "there is no event loop whose lateness could be measured",
	"jupyterhub_server_poll_duration_seconds": "no server is polled: systemd tells when one ends",
}

// Dashboards that were made for JupyterHub find everything under its names, with its types, from the first moment. What
// JupyterHub has is in a list that test/compat takes from a real one.
func TestMetricsHaveJupyterHubsNames(t *testing.T) {
	list, err := os.ReadFile("../../test/compat/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	page := metricsPage(t)
	document, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		words := strings.Fields(line)
		has := strings.Contains(page, "# TYPE "+words[0]+" "+words[1]+"\n")
		switch why := notOurs[words[0]]; {
		case why == "" && !has:
			t.Errorf("%s of type %s is missing", words[0], words[1])
		case why != "" && has:
			t.Errorf("%s is there, and yet: %s", words[0], why)
		case why != "" && !strings.Contains(string(document), "`"+words[0]+"`"):
			t.Errorf("docs/compatibility.md does not say that %s is missing", words[0])
		case has && len(words) == 3:
			hasLabels(t, page, words[0], strings.Split(words[2], ","))
		}
	}
}

// A panel asks for status="error" or period="7d", and an alarm whose value was never there is never raised: whatever values of labels
// JupyterHub shows from the first moment, we do. test/compat takes them from a real one.
func TestMetricsHaveJupyterHubsValues(t *testing.T) {
	list, err := os.ReadFile("../../test/compat/testdata/metric_values.txt")
	if err != nil {
		t.Fatal(err)
	}
	page := metricsPage(t)
	looked := 0
	for sample := range strings.Lines(string(list)) {
		name, labels, _ := strings.Cut(strings.TrimSpace(sample), "{")
		if notOurs[name] != "" {
			continue
		}
		looked++
		if !strings.Contains(page, "\n"+name+"{"+labels+" ") && !strings.Contains(page, "\n"+name+"_count{"+labels+" ") {
			t.Errorf("no %s{%s", name, labels)
		}
	}
	if looked < 10 {
		t.Errorf("%d samples are looked for", looked)
	}
}

// metricsOfOurs are those that JupyterHub does not have, by type.
var metricsOfOurs = map[string]string{
	"jupyterhub_queued_servers":              "gauge",
	"jupyterhub_server_spawn_stage_seconds":  "histogram",
	"jupyterhub_sleeping_servers":            "gauge",
	"jupyterhub_server_wake_seconds":         "histogram",
	"jupyterhub_busy_server_sightings_total": "counter",
	"jupyterhub_activity_notes_total":        "counter",
	"jupyterhub_store_bytes":                 "gauge",
	"jupyterhub_store_writes_total":          "counter",
	"jupyterhub_store_write_seconds_total":   "counter",
	"jupyterhub_door_connections":            "gauge",
	"jupyterhub_door_evictions_total":        "counter",
}

// labelsOfOurs are the labels of those that have one.
var labelsOfOurs = map[string]string{
	"jupyterhub_server_spawn_stage_seconds": "stage",
	"jupyterhub_server_wake_seconds":        "status",
	"jupyterhub_door_connections":           "door",
	"jupyterhub_door_evictions_total":       "door",
}

// Dashboards find ours as the document tells of them, with samples from the first moment: a panel or an alarm over a metric that has
// gone shows nothing, and nobody is told.
func TestMetricsOfOursAreThere(t *testing.T) {
	page := metricsPage(t)
	for name, kind := range metricsOfOurs {
		if !strings.Contains(page, "# TYPE "+name+" "+kind+"\n") {
			t.Errorf("%s of type %s is missing", name, kind)
		}
		if label := labelsOfOurs[name]; label != "" {
			hasLabels(t, page, name, []string{label})
		} else if !strings.Contains(page, "\n"+name+" ") && !strings.Contains(page, "\n"+name+"_count ") {
			t.Errorf("%s has no sample", name)
		}
	}
	document, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(document)) {
		name, told := strings.CutPrefix(line, "| `jupyterhub_")
		if name, _, _ = strings.Cut(name, "`"); told && metricsOfOurs["jupyterhub_"+name] == "" && notOurs["jupyterhub_"+name] == "" {
			t.Errorf("docs/compatibility.md tells of jupyterhub_%s, which no test knows", name)
		}
	}
}

// What is ours besides is told in the document.
func TestMetricsOfOursAreTold(t *testing.T) {
	list, err := os.ReadFile("../../test/compat/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(metricsPage(t)) {
		words := strings.Fields(line)
		if len(words) < 4 || words[1] != "TYPE" || !strings.HasPrefix(words[2], "jupyterhub_") || strings.Contains(string(list), words[2]+" ") {
			continue
		}
		if !strings.Contains(string(document), "| `"+words[2]+"` |") {
			t.Errorf("docs/compatibility.md does not tell of %s, a %s", words[2], words[3])
		}
	}
}

// hasLabels checks the labels of whatever samples a metric has.
func hasLabels(t *testing.T, page, name string, labels []string) {
	t.Helper()
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, name); !ok || !strings.HasPrefix(strings.TrimLeft(rest, "_abcdefghijklmnopqrstuvwxyz"), "{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(line, label+`="`) {
				t.Errorf("%s has no label %s: %s", name, label, line)
			}
		}
		return
	}
	t.Errorf("%s has no sample", name)
}

// metricsPage is what a hub shows that has just started.
func metricsPage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jupyterhub.toml"), []byte("[hub]\nauthenticate_prometheus = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h, err := wire(&daemon.Daemon{ConfigDir: dir, Log: zerolog.Nop()}, c, s, crypt.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	h.openADoor(t)
	var page string
	for range 2 { // the second shows what was measured of the first
		w := httptest.NewRecorder()
		h.door(browsers).ServeHTTP(w, httptest.NewRequest("GET", "/hub/metrics", nil))
		page = w.Body.String()
	}
	return page
}

// openADoor opens the browsers' door, at which nobody comes: its listener is closed already.
func (h *house) openADoor(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "hub.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := h.rooms.Load().hall.Serve(t.Context(), l, h.door(browsers), httpd.Limits{Door: doorHub, Meters: h.meters}); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}
