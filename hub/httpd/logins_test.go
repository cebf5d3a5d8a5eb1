package httpd

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A login is good or bad; one that asks for more is neither yet.
func TestLoginsAreMeasured(t *testing.T) {
	l := newLogins()
	for _, c := range []struct {
		method, pattern string
		status          int
	}{
		{"GET", "/hub/login", 200}, {"POST", "/hub/login", 200}, {"POST", "/hub/login", 302}, {"POST", "/hub/login", 403}, {"POST", "/hub/login", 403},
		{"GET", "/hub/logout", 302}, {"GET", "/hub/home", 200},
	} {
		l.observe(c.method, c.pattern, c.status, time.Second)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(l.in, l.out)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			status := ""
			for _, label := range m.GetLabel() {
				status = label.GetValue()
			}
			got[f.GetName()+" "+status] = m.GetHistogram().GetSampleCount()
		}
	}
	for name, want := range map[string]uint64{
		"jupyterhub_login_duration_seconds LoginStatus.success": 1, "jupyterhub_login_duration_seconds LoginStatus.failure": 2, "jupyterhub_logout_duration_seconds ": 1,
	} {
		if got[name] != want {
			t.Errorf("%s: %d, want %d", name, got[name], want)
		}
	}
}
