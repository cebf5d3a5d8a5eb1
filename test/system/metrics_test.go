package system

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// What a visit moves in JupyterHub's metrics it moves in ours, by one: somebody logs in, starts a server, stops it and leaves. The list is
// a real JupyterHub's (test/compat). The gauge of servers that run is right meanwhile and afterwards.
func TestAVisitMovesTheMetrics(t *testing.T) {
	list, err := os.ReadFile("../compat/testdata/metric_moves.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := onStage(t)
	s.mocked("alice")
	before := s.metrics()
	p := s.player("alice")
	p.logIn("/hub/home")
	s.start(alice)
	if got := s.metrics()["jupyterhub_running_servers"]; got != before["jupyterhub_running_servers"]+1 {
		t.Errorf("%v servers run, of which one is alice's", got)
	}
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, "stopped")
	p.get("/hub/logout")
	s.eventually("the servers that run are counted", func() bool { return s.metrics()["jupyterhub_running_servers"] == before["jupyterhub_running_servers"] })
	after := s.metrics()
	for sample := range strings.Lines(string(list)) {
		sample = strings.TrimSpace(sample)
		if before, now := before[sample], after[sample]; now < before+1 {
			t.Errorf("%s was %v, and is %v", sample, before, now)
		}
	}
	if n := after["jupyterhub_total_users"]; n < 2 {
		t.Errorf("%v users", n)
	}
}

// metrics reads the hub's page, sample by sample.
func (s *stage) metrics() map[string]float64 {
	s.t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(s.run("curl", "--silent", "--fail", "--unix-socket", "/run/jupyterhub/admin.sock", "http://hub/hub/api/metrics")) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			all[line[:at]], _ = strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64) // what is no number is not asked for
		}
	}
	return all
}
