package system

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// spent is the processor time in bob's account, in seconds.
func (s *stage) spent() (sum float64) {
	s.t.Helper()
	days, err := s.hub.UsageDays(s.ctx, "bob", "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range days {
		sum += d.CPUSeconds
	}
	return sum
}

// consumed is what systemd says that the runs of bob's server used, in seconds.
func (s *stage) consumed() (sum float64) {
	s.t.Helper()
	for line := range strings.Lines(s.run("journalctl", "--output=json", "_PID=1", "MESSAGE_ID=ae8f7b866b0347b9af31fe1c80b127c0", "UNIT="+hub.UnitName(bob))) {
		var entry struct {
			CPU string `json:"CPU_USAGE_NSEC"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			s.t.Fatal(err)
		}
		ns, err := strconv.ParseFloat(entry.CPU, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		sum += ns / 1e9
	}
	return sum
}

// paid waits until what bob's servers used is in his account.
func (s *stage) paid() {
	s.t.Helper()
	s.run("journalctl", "--sync")
	used, spent := s.consumed(), 0.0
	if used == 0 {
		s.t.Error("systemd does not say what bob's server used")
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("used were %g s, and %g are in the account", used, spent)
		}
	})
	s.eventually("all that was used is in bob's account", func() bool {
		spent = s.spent()
		return math.Abs(spent-used) < 1e-6
	})
}

// brief starts a server of bob's that works for 300 ms and ends, and waits until that is in his account. Systemd says nothing of it.
func (s *stage) brief() {
	s.t.Helper()
	s.put("/usr/local/bin/brief", "#!/usr/bin/python3\nimport time\nwhile time.process_time() < 0.3: pass\n", 0o755)
	s.configure("[spawner]\ncmd = [\"brief\"]\n")
	before, now := s.spent(), 0.0
	_, _ = s.hub.StartServer(s.ctx, bob, client.StartRequest{}) // it ends before it is ready
	s.eventually("what it used is in bob's account", func() bool {
		now = s.spent()
		return now-before >= 0.3
	})
	if used := now - before; used > 1 {
		s.t.Errorf("in the account are %g s", used)
	}
}

// Where control groups are as this machine has them, what a short run used is in the account.
func TestABriefRunIsAccounted(t *testing.T) {
	onStage(t).brief()
}

// The hub is killed twice: once while bob's server works on, once when it cannot hear of its end. His account holds what systemd
// has counted, all of it and once.
func TestAKilledHubLosesNoProcessorTime(t *testing.T) {
	t.Parallel()
	s := unifiedStage(t) // where systemd counts processor time, whatever the host has
	s.configure("[spawner]\ncmd = [\"works\"]\n")
	// More than a second in each run: of less systemd says nothing.
	const work = "while time.process_time() < ends: pass\n"
	program := strings.Replace(mock, "self.send_response(200)", "ends = time.process_time() + 0.2\n        "+work+"        self.send_response(200)", 1)
	s.put("/usr/local/bin/works", strings.Replace(program, "server.serve_forever()", "ends = 1.2\n"+work+"server.serve_forever()", 1), 0o755)
	s.start(bob)
	s.eventually("what the start used is in bob's account", func() bool { return s.spent() > 0 })
	s.answers("/user/bob/api")
	s.killed("jupyterhub.service")
	s.connect()
	s.becomes(bob, hub.Running)
	s.eventually("bob's server works on", func() bool { return s.answers("/user/bob/api") == 200 })
	s.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "jupyterhub.service")
	s.answers("/user/bob/api")
	s.run("systemctl", "stop", hub.UnitName(bob))
	s.killed("jupyterhub.service")
	s.connect()
	s.becomes(bob, hub.Failed) // nobody saw it go
	s.paid()
	s.start(bob)
	if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(bob, hub.Stopped)
	s.paid()
	s.brief()
}
