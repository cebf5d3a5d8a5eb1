package compat

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// JupyterHub's metrics are those that testdata/metrics.txt lists, with which cmd/jupyterhubd compares ours.
func TestMetricsOfJupyterHub(t *testing.T) {
	upstream := startUpstream(t)
	for _, st := range []step{ // so that each is there with every label that it has
		{who: "alice@browser", method: "GET", path: "./hub/login"},
		{who: "alice@browser", method: "POST", path: "./hub/login", body: "username=alice&password=secret&_xsrf=$xsrf",
			header: []string{"Content-Type: application/x-www-form-urlencoded"}},
		{who: "stage", method: "POST", path: "/users/alice/server"},
		{who: "stage", method: "DELETE", path: "/users/alice/server"},
		{who: "alice@browser", method: "GET", path: "./hub/logout"},
	} {
		if got, err := upstream.ask(st); err != nil || got.status >= 400 {
			t.Fatalf("%s: %d, %v", st, got.status, err)
		}
	}
	got, err := upstream.ask(step{who: "stage", method: "GET", path: "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	list := metrics(got.body)
	const kept = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(kept, []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(kept); err != nil || string(want) != list {
		t.Errorf("%s (%v) is not what JupyterHub has, which -update writes:\n%s", kept, err, list)
	}
}

var (
	metricType   = regexp.MustCompile(`(?m)^# TYPE (jupyterhub_\w+) (\w+)$`)
	metricSample = regexp.MustCompile(`(?m)^(jupyterhub_\w+?)(?:_bucket|_count|_sum)?\{(.*)\} `)
	metricLabel  = regexp.MustCompile(`(\w+)="`)
)

// metrics lists what a page of metrics has of JupyterHub's: name, type and labels.
func metrics(page string) string {
	labels := map[string]map[string]bool{}
	for _, m := range metricSample.FindAllStringSubmatch(page, -1) {
		if labels[m[1]] == nil {
			labels[m[1]] = map[string]bool{}
		}
		for _, l := range metricLabel.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" {
				labels[m[1]][l[1]] = true
			}
		}
	}
	var lines []string
	for _, m := range metricType.FindAllStringSubmatch(page, -1) {
		if !strings.HasSuffix(m[1], "_created") {
			lines = append(lines, strings.TrimSpace(fmt.Sprint(m[1], " ", m[2], " ", strings.Join(slices.Sorted(maps.Keys(labels[m[1]])), ","))))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
