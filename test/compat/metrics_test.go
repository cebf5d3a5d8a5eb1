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

// JupyterHub's metrics are those that testdata/metrics.txt lists, with which cmd/jupyterhubd compares ours. testdata/metric_values.txt
// has the values of labels that dashboards ask for, and testdata/metric_moves.txt what a visit to the hub moves.
func TestMetricsOfJupyterHub(t *testing.T) {
	upstream := startUpstream(t)
	page := func() string {
		t.Helper()
		got, err := upstream.ask(step{who: "stage", method: "GET", path: "/metrics"})
		if err != nil || got.status != 200 {
			t.Fatalf("%d, %v", got.status, err)
		}
		return got.body
	}
	before := page()
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
	after := page()
	kept(t, "testdata/metrics.txt", metrics(after))
	kept(t, "testdata/metric_values.txt", values(after))
	kept(t, "testdata/metric_moves.txt", moves(before, after))
}

// kept compares what JupyterHub has with what is kept of it.
func kept(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != got {
		t.Errorf("%s (%v) is not what JupyterHub has, which -update writes:\n%s", file, err, got)
	}
}

var (
	metricValue = regexp.MustCompile(`(?m)^(jupyterhub_\w+?)(?:_count)?\{([^}]*)\} `)
	metricCount = regexp.MustCompile(`(?m)^(jupyterhub_\w+?_count)((?:\{[^}]*\})?) (\S+)$`)
	// a request's labels are as many as there are pages
	requests = "jupyterhub_request_duration_seconds"
	// what moves by itself
	byItself = regexp.MustCompile(`event_loop|check_routes|proxy_poll|server_poll|startup|init_spawners|request_duration`)
)

// values lists the samples of metrics whose labels have few values, each once.
func values(page string) string {
	found := map[string]bool{}
	for _, m := range metricValue.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(m[2], `le="`) && m[1] != requests && !strings.HasSuffix(m[1], "_created") && !strings.HasSuffix(m[1], "_sum") {
			labels := strings.Split(m[2], ",")
			slices.Sort(labels)
			found[m[1]+"{"+strings.Join(labels, ",")+"}"] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(found)), "\n") + "\n"
}

// moves lists the counts that are greater on a later page.
func moves(before, after string) string {
	was := map[string]string{}
	for _, m := range metricCount.FindAllStringSubmatch(before, -1) {
		was[m[1]+m[2]] = m[3]
	}
	var moved []string
	for _, m := range metricCount.FindAllStringSubmatch(after, -1) {
		if !byItself.MatchString(m[1]) && m[3] != "0.0" && was[m[1]+m[2]] != m[3] {
			moved = append(moved, m[1]+m[2])
		}
	}
	slices.Sort(moved)
	return strings.Join(moved, "\n") + "\n"
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
