package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

func TestLimitChangesWhatIsGiven(t *testing.T) {
	m := newMachine(t, "")
	var asked []string
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Limit": func(_ context.Context, r *varlink.Request) error {
			asked = append(asked, string(r.Parameters))
			return r.Reply(map[string]any{"limits": hub.Limits{MemoryMax: 4 << 30, CPUQuota: 2, TasksMax: 512}})
		},
		"Usage": says(map[string]any{"units": []hub.Unit{
			{ServerRef: hub.ServerRef{User: "alice", Server: "gpu"}, Name: "jupyter-alice-gpu.service",
				Used: &hub.Usage{Limits: hub.Limits{MemoryMax: 1536 << 20, IOWeight: 50}}},
		}}),
	})
	compare(t, m.run("limit", "alice", "memory=4G", "cpu=2", "tasks=512"), `
memory=4G
cpu=2
tasks=512
[0]
`)
	m.run("limit", "alice/gpu", "cpu_weight=10", "--for-good")
	m.run("limit", "alice", "--reset")
	if got := strings.Join(asked, "\n"); got != `{"user":"alice","server":"","limits":{"memory_max":4294967296,"cpu_quota":2,"tasks_max":512},"for_good":false}
{"user":"alice","server":"gpu","limits":{"cpu_weight":10},"for_good":true}
{"user":"alice","server":"","limits":null,"for_good":false}` {
		t.Errorf("root's side was asked\n%s", got)
	}
	compare(t, m.run("limit", "alice/gpu"), `
memory=1536M
io_weight=50
[0]
`)
	compare(t, m.run("limit", "alice/gpu", "--json"), `
{
  "memory_max": 1610612736,
  "io_weight": 50
}
[0]
`)
	compare(t, m.run("limit", "bob"), `
jupyterhub: error: the server bob does not run
[1]
`)
}

func TestLimitsThatMakeNoSense(t *testing.T) {
	m := newMachine(t, "")
	for arg, want := range map[string]string{
		"disk=1":       `"disk=1" is no limit`,
		"memory":       `memory: "" is no size`,
		"memory=0":     "0 is no limit that could be kept",
		"cpu=-1":       `cpu: "-1" is no number of CPUs`,
		"cpu=NaN":      `cpu: "NaN" is no number of CPUs`,
		"tasks=many":   `tasks: "many" is no number from 1 on`,
		"io_weight=-5": `io_weight: "-5" is no number`,
	} {
		if got := m.run("limit", "alice", arg); !strings.Contains(got, want) || !strings.HasSuffix(got, "[1]\n") {
			t.Errorf("%s: %s", arg, got)
		}
	}
	if got := m.run("limit", "alice", "cpu=1", "--reset"); !strings.Contains(got, "takes no limits") {
		t.Error(got)
	}
}

func TestExplainSaysWhereEachValueComesFrom(t *testing.T) {
	m := newMachine(t, "")
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Explain": func(_ context.Context, r *varlink.Request) error {
			var in struct {
				hub.ServerRef
				Profile string          `json:"profile"`
				Options json.RawMessage `json:"options"`
			}
			if err := r.Decode(&in); err != nil || in.User != "alice" || in.Profile != "gpu" {
				t.Errorf("asked for %+v, %v", in, err)
			}
			return r.Reply(map[string]any{"explanation": hub.Explanation{
				Unit: "jupyter-alice.service", Slice: "jupyter-user_alice.slice", Profile: "gpu", Command: []string{"/usr/bin/jupyterhub-singleuser", "--x"},
				Settings:   []hub.Provided{{Name: "mem_limit", Value: "4G", Origin: "/etc/jupyterhub/jupyterhub.toml:7"}},
				Properties: []hub.Provided{{Name: "MemoryMax", Value: "4G", Origin: "/etc/jupyterhub/jupyterhub.toml:7"}, {Name: "TasksMax", Value: "99", Origin: "/etc/systemd/system/jupyter-.service.d/a.conf:2"}},
			}})
		},
	})
	compare(t, m.run("explain", "alice", "--profile", "gpu"), `
jupyter-alice.service in jupyter-user_alice.slice
/usr/bin/jupyterhub-singleuser --x

OPTION     VALUE  FROM
mem_limit  4G     /etc/jupyterhub/jupyterhub.toml:7

PROPERTY   VALUE  FROM
MemoryMax  4G     /etc/jupyterhub/jupyterhub.toml:7
TasksMax   99     /etc/systemd/system/jupyter-.service.d/a.conf:2
[0]
`)
	if got := m.run("explain", "alice", "--profile", "gpu", "--json"); !strings.Contains(got, `"origin": "/etc/systemd/system/jupyter-.service.d/a.conf:2"`) {
		t.Error(got)
	}
}

func TestUsageByUserAndDay(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/usage/days?first=2026-11-01": `{"days":[{"user":"alice","day":"2026-11-24","cpu_seconds":5400,"gib_hours":2.255,"server_hours":8}]}`,
		"GET /hub/api/users/bob/usage":             `{"days":[]}`,
	})
	compare(t, m.run("usage", "--first", "2026-11-01"), `
USER   DAY         CPU HOURS  GIB HOURS  SERVER HOURS
alice  2026-11-24  1.50       2.25       8.00
[0]
`)
	compare(t, m.run("usage", "bob", "--json"), `
[]
[0]
`)
}

func TestDoctorSaysEverythingThatIsAmiss(t *testing.T) {
	m := newMachine(t, "[authenticator]\nallow_all = true\n[hub]\nspawn_io_pressure = 20\n")
	m.app.systemctl = func(context.Context, ...string) ([]byte, error) { return []byte(shown), nil }
	m.http("admin.sock", map[string]string{"GET /hub/api/": `{"version":"6.1.1"}`})
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Check":              says(map[string]any{"findings": []string{"idle servers cannot sleep here: mend it"}}),
		"CheckConfiguration": says(struct{}{}),
		"Headroom":           says(map[string]any{"headroom": hub.Headroom{Memory: 64 << 20, MemoryPressure: -1, IOPressure: 25, CPUPressure: 99}}),
	})
	compare(t, m.run("doctor"), `
idle servers cannot sleep here: mend it
starts wait: 64M of memory are free, and spawn_memory_reserve is 128M; stop servers, or add memory
spawn_memory_pressure does nothing here: this kernel has no /proc/pressure; boot it with psi=1, or set the option to 0
starts wait: the pressure is 25, and spawn_io_pressure is 20
jupyterhub-proxy.service is failed: systemctl start jupyterhub-proxy.service; journalctl -u jupyterhub-proxy.service says why it does not run
jupyterhub-idle-culler.timer is unknown: systemctl start jupyterhub-idle-culler.timer; journalctl -u jupyterhub-idle-culler.timer says why it does not run
[1]
`)
}

func TestDoctorFindsNothing(t *testing.T) {
	m := newMachine(t, "[authenticator]\nallow_all = true\n")
	well := strings.ReplaceAll(shown, "=failed", "=active") + "\nId=jupyterhub-idle-culler.timer\nActiveState=active\nActiveEnterTimestamp=@1795291800\n"
	m.app.systemctl = func(context.Context, ...string) ([]byte, error) { return []byte(well), nil }
	m.http("admin.sock", map[string]string{"GET /hub/api/": `{"version":"6.1.1"}`})
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Check": says(map[string]any{"findings": []string{}}), "CheckConfiguration": says(struct{}{}),
		"Headroom": says(map[string]any{"headroom": hub.Headroom{Memory: 8 << 30}}),
	})
	compare(t, m.run("doctor"), `
nothing is amiss
[0]
`)
}
