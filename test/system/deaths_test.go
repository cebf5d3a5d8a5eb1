package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// blows are what happens to the daemons and to what they stand on. Each returns when all of it works again.
var blows = []struct {
	name  string
	falls func(*stage)
}{
	{"the hub is killed", func(s *stage) { s.killed("jupyterhub.service") }},
	{"root's side is killed", func(s *stage) { s.killed("jupyterhub-spawnd.service") }},
	{"hub and root's side are killed", (*stage).bothDie},
	{"systemd is executed anew", func(s *stage) { s.run("systemctl", "daemon-reexec"); s.managed() }},
	{"systemd reads its units", func(s *stage) { s.run("systemctl", "daemon-reload") }},
	{"the bus is killed", func(s *stage) { s.run("systemctl", "kill", "--signal=SIGKILL", "dbus.service"); s.managed() }},
	{"the bus and root's side are killed", func(s *stage) {
		s.run("systemctl", "kill", "--signal=SIGKILL", "jupyterhub-spawnd.service", "dbus.service")
		s.managed()
	}},
}

// managed waits until the service manager answers, over the bus as well.
func (s *stage) managed() {
	s.t.Helper()
	s.eventually("the service manager answers", func() bool {
		_, err := s.Run(s.ctx, "sh", "-c", "systemctl show --property=Version && busctl --quiet status org.freedesktop.systemd1")
		return err == nil
	})
}

// While systemd waits for the identity of bob's server, somebody falls. The start goes through all the same, once.
func TestDeathsDuringAStart(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/halting-singleuser", halting, 0o755)
	for _, blow := range blows {
		t.Run(blow.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.halting("nowhere")
			gate := s.gate()
			s.ask()
			asks := gate.await()
			blow.falls(s)
			gate.say(asks, gate.answer(gate.knock(asks)))
			s.becomes(bob, hub.Running)
			s.wholeOrNothing()
			s.oneUnit(bob)
			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Error(err)
			}
			s.becomes(bob, hub.Stopped)
			s.nothingLeft(bob)
		})
	}
}

// While bob's server is ending, which takes its time, somebody falls, and is back before that. The server ends all the same, and that is
// no failure.
func TestDeathsDuringAStop(t *testing.T) {
	s := onStage(t)
	const goOn = "/home/bob/may-leave"
	leaving := strings.Replace(mock, "server.serve_forever()", `import signal
def leave(*_):
    while not os.path.exists("`+goOn+`"): time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
server.serve_forever()`, 1)
	s.put("/usr/local/bin/leaving", leaving, 0o755)
	s.afterwards("rm", "-f", goOn)
	s.configure("[hub]\nslow_stop_timeout = \"1ms\"\n[spawner.user.bob]\ncmd = [\"leaving\"]\n" +
		"unit_extra_properties = { TimeoutStopSec = \"120s\" }\n")
	for _, blow := range blows {
		t.Run(blow.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.run("rm", "-f", goOn)
			s.start(bob)
			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Error(err)
			}
			s.eventually("the server is ending", func() bool { return s.property(hub.UnitName(bob), "ActiveState") == "deactivating" })
			blow.falls(s)
			if now := s.property(hub.UnitName(bob), "ActiveState"); now != "deactivating" {
				t.Errorf("who fell was back only when the server had ended: it is %s", now)
			}
			s.run("touch", goOn)
			s.becomes(bob, hub.Stopped)
			s.nothingLeft(bob)
		})
	}
}

// Hub and root's side are away while something happens to bob's server. The next two make of it what the first two would have.
func TestWhatHappensWhileBothAreAway(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	unit := hub.UnitName(bob)
	for name, play := range map[string]struct {
		happens []string
		state   hub.State
		cause   hub.CauseKind
	}{
		"it dies":              {[]string{"systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", unit}, hub.Failed, hub.CauseSignal},
		"an admin stops it":    {[]string{"systemctl", "stop", unit}, hub.Failed, hub.CauseVanished},
		"an admin restarts it": {[]string{"systemctl", "restart", "--no-block", unit}, hub.Running, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.start(bob)
			pid := s.mainPID(unit)
			s.freeze("jupyterhub.service")
			s.freeze("jupyterhub-spawnd.service")
			s.run(play.happens[0], play.happens[1:]...)
			s.eventually("it has happened", func() bool { return s.mainPID(unit) != pid })
			s.killed("jupyterhub.service", "jupyterhub-spawnd.service")
			s.becomes(bob, play.state)
			s.wholeOrNothing()
			if play.state == hub.Running {
				s.oneUnit(bob)
				return
			}
			if cause := s.lastEvent(bob).Cause; cause == nil || cause.Kind != play.cause || cause.Message == "" {
				t.Errorf("bob is told %+v", cause)
			}
			s.nothingLeft(bob)
			s.start(bob)
		})
	}
}

// oneUnit checks that a server has one unit.
func (s *stage) oneUnit(ref hub.ServerRef) {
	s.t.Helper()
	units := strings.Fields(s.run("sh", "-c", "systemctl list-units --all --plain --no-legend 'jupyter-"+ref.User+"*.service' | awk '{ print $1 }'"))
	if len(units) != 1 {
		s.t.Errorf("the server %s has the units %v", ref, units)
	}
}
