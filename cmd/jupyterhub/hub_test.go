package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

func TestTokenIsPrintedAlone(t *testing.T) {
	m := newMachine(t, "[hub]\nbase_url = '/jupyter/'\n")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users/alice":         `{"kind":"user","name":"alice"}`,
		"POST /hub/api/users/alice/tokens": `{"id":"a1","token":"0123456789abcdef0123456789abcdef"}`,
		"GET /hub/api/users/mallory":       `{"status":404,"message":"Not Found"}`,
	})
	compare(t, m.run("token", "alice", "--expires-in", "30d", "--scope", "read:users"), `
0123456789abcdef0123456789abcdef
[0]
`)
	compare(t, m.run("token", "mallory"), `
jupyterhub: error: No such user: mallory
jupyterhub: hint: users come to be known when they first log in; an admin can add them on the admin page
[1]
`)
	compare(t, m.run("token", "alice", "--expires-in", "soon"), `
jupyterhub: error: --expires-in "soon" is no span of time; it wants seconds, or a number and s, m, h, d or w
[1]
`)
}

func TestBackupIsWholeOrNotThere(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{"GET /hub/api/": `{"version":"6.1.1"}`, "GET /hub/api/backup": "the whole database"})
	file := m.at("copy.db")
	compare(t, m.run("backup", file), `
DIR/copy.db: 18 bytes
[0]
`)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v", info.Mode(), err)
	}
	compare(t, m.run("backup", file), `
jupyterhub: error: DIR/copy.db is there already
jupyterhub: hint: name another file, or say --force to replace it
[1]
`)
	if got := m.run("backup", "--force", file); !strings.HasSuffix(got, "[0]\n") {
		t.Error(got)
	}
	left, err := os.ReadDir(m.dir)
	for _, e := range left {
		if strings.Contains(e.Name(), "backup") {
			t.Errorf("%s was left behind (%v)", e.Name(), err)
		}
	}
}

func TestABackupThatIsRefusedLeavesNothing(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{"GET /hub/api/": `{"version":"6.1.1"}`, "GET /hub/api/backup": `{"status":403,"message":"A backup is for admins"}`})
	compare(t, m.run("backup", m.at("copy.db")), `
jupyterhub: error: A backup is for admins
jupyterhub: hint: root may do everything; others what their own hub account may
[1]
`)
	if _, err := os.Stat(m.at("copy.db")); !os.IsNotExist(err) {
		t.Errorf("a file is there: %v", err)
	}
}

// shown is what systemctl 252 prints of a machine whose proxy has failed.
const shown = `Id=jupyterhub.service
ActiveState=active
ActiveEnterTimestamp=@1795291800
MemoryCurrent=31457280
CPUUsageNSec=1234567890

Id=jupyterhub-proxy.service
ActiveState=failed
ActiveEnterTimestamp=@1795291800
MemoryCurrent=[not set]
CPUUsageNSec=18446744073709551615

Id=jupyterhub-spawnd.service
ActiveState=inactive
ActiveEnterTimestamp=
MemoryCurrent=18446744073709551615

Id=jupyterhub-proxy.socket
ActiveState=active
ActiveEnterTimestamp=@1795291800

Id=jupyterhub-spawnd.socket
ActiveState=active
ActiveEnterTimestamp=@1795291800

Id=jupyterhub-pam.socket
ActiveState=active
ActiveEnterTimestamp=@1795291800
`

func TestStatusTellsWhatRunsAndWhatDoesNot(t *testing.T) {
	m := newMachine(t, "")
	m.app.systemctl = func(_ context.Context, args ...string) ([]byte, error) { return []byte(shown), nil }
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users?state=active": `{"items":[
			{"name":"bob","servers":{"":{"name":"","ready":false,"pending":"spawn","started":null,"last_activity":null}}},
			{"name":"alice","servers":{"gpu":{"name":"gpu","ready":true,"pending":null,"started":"2026-11-21T20:10:00Z",
				"last_activity":"2026-11-21T20:20:00Z","state":{"unit":"jupyter-alice-gpu.service","state":"ready","uid":1000}}}}
			],"_pagination":{"offset":0,"limit":50,"total":2,"next":null}}`,
		"GET /hub/api/usage": `{"alice/gpu":{"unit":"jupyter-alice-gpu.service","uid":1000,"memory_bytes":1610612736,"cpu_nanoseconds":61000000000}}`,
	})
	compare(t, m.run("status"), `
UNIT                          STATE        SINCE             MEMORY  CPU
jupyterhub.service            active       2026-11-21 20:10  30M     1.23s
jupyterhub-proxy.service      failed (!)   -                 -       -
jupyterhub-spawnd.service     inactive     -                 -       -
jupyterhub-proxy.socket       active       2026-11-21 20:10  -       -
jupyterhub-spawnd.socket      active       2026-11-21 20:10  -       -
jupyterhub-pam.socket         active       2026-11-21 20:10  -       -
jupyterhub-idle-culler.timer  unknown (!)  -                 -       -

USER   SERVER     STATE  SINCE             MEMORY  CPU   ACTIVE            UNIT
alice  gpu        ready  2026-11-21 20:10  1536M   1m1s  2026-11-21 20:20  jupyter-alice-gpu.service
bob    (default)  spawn  -                 -       -     -                 -
[3]
`)
	if got := m.run("status", "--json"); !strings.Contains(got, `"memory_bytes": 1610612736`) || !strings.Contains(got, `"unit": "jupyterhub-pam.socket"`) {
		t.Error(got)
	}
}

func TestStatusOfAMachineWithoutItsHub(t *testing.T) {
	m := newMachine(t, "")
	m.app.systemctl = func(context.Context, ...string) ([]byte, error) { return []byte(shown), nil }
	got := m.run("status")
	if !strings.Contains(got, "jupyterhub-proxy.service      failed (!)") || !strings.Contains(got, "error: cannot connect") || !strings.HasSuffix(got, "[1]\n") {
		t.Error(got)
	}
}

// A hub that fails at every start leaves callers in its socket's queue: they are told within moments, and of the servers that
// run all the same.
func TestStatusOfAHubThatDoesNotAnswer(t *testing.T) {
	m := newMachine(t, "")
	m.app.patience = 50 * time.Millisecond
	m.app.systemctl = func(context.Context, ...string) ([]byte, error) { return []byte(shown), nil }
	queue, err := net.Listen("unix", m.at("admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	alice := hub.Unit{
		ServerRef: hub.ServerRef{User: "alice"}, Name: "jupyter-alice.service", State: hub.UnitActive,
		Since: time.Unix(1795291800, 0), Memory: 300 << 20, CPU: -1,
	}
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{"Usage": says(map[string]any{"units": []hub.Unit{alice}})})
	got := m.run("status")
	if _, told, _ := strings.Cut(got, "\n\n"); told != `USER   SERVER     STATE   SINCE             MEMORY  CPU  ACTIVE  UNIT
alice  (default)  active  2026-11-21 20:10  300M    -    -       jupyter-alice.service
jupyterhub: error: the hub did not answer within 50ms
jupyterhub: hint: systemctl status jupyterhub says whether it runs and why not
[1]
` {
		t.Error(got)
	}
	for _, command := range [][]string{{"token", "alice"}, {"backup", m.at("copy.db")}} {
		compare(t, m.run(command...), `
jupyterhub: error: the hub did not answer within 50ms
jupyterhub: hint: systemctl status jupyterhub says whether it runs and why not
[1]
`)
	}
}
