package spawner

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jupyterhubd/hub"
)

// A start counts once, as JupyterHub would count it: what was tried and went wrong is an error, and only what was refused a failure.
func TestHowAStartIsCounted(t *testing.T) {
	for want, end := range map[string]struct {
		ready bool
		cause *hub.Cause
	}{
		`reason="",status="success"`:      {true, nil},
		`reason="",status="failure"`:      {false, nil},
		`reason="exited",status="error"`:  {false, &hub.Cause{Kind: hub.CauseOutOfMemory}},
		`reason="timeout",status="error"`: {false, &hub.Cause{Kind: hub.CauseTimeout}},
		`reason="other",status="error"`:   {false, &hub.Cause{Kind: hub.CauseSandbox}},
	} {
		r := prometheus.NewRegistry()
		newMetrics(r).spawned(time.Second, end.ready, end.cause)
		all, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var counted []string
		for _, family := range all {
			for _, m := range family.GetMetric() {
				if family.GetName() == "jupyterhub_server_spawn_duration_seconds" && m.GetHistogram().GetSampleCount() > 0 {
					counted = append(counted, fmt.Sprintf("%s=%q,%s=%q", m.GetLabel()[0].GetName(), m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetName(), m.GetLabel()[1].GetValue()))
				}
			}
		}
		if len(counted) != 1 || counted[0] != want {
			t.Errorf("counted as %q, want %s", counted, want)
		}
	}
}
