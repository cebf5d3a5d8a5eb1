package system

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

const proxyUnit = "jupyterhub-proxy.service"

// reloaded replaces the proxy by `systemctl reload` and returns the process that now is the unit's.
func (s *stage) reloaded() (pid string) {
	s.t.Helper()
	before, run := s.mainPID(proxyUnit), s.property(proxyUnit, "InvocationID")
	s.run("systemctl", "reload", proxyUnit)
	pid = s.mainPID(proxyUnit)
	if pid == before || pid == "0" {
		s.t.Errorf("after a reload the proxy is process %s, as before", pid)
	}
	if s.property(proxyUnit, "InvocationID") != run {
		s.t.Error("the proxy was restarted")
	}
	return pid
}

// processes lists the proxies that are there.
func (s *stage) processes() []string {
	return strings.Fields(s.run("sh", "-c", "pgrep -u jupyterhub-proxy jupyterhub-prox || true"))
}

// Over plain HTTP nobody notices a reload or a restart: no request fails, and WebSockets go on, in the next process.
func TestPlainConnectionsOutliveTheProxy(t *testing.T) {
	s := onStage(t)
	l := s.load(nil)
	tunnels := l.open(release(100, 2000), nil)
	end := l.visit(release(16, 64))
	l.more()
	for range 2 {
		s.reloaded()
		l.more()
	}
	l.alive(tunnels)
	s.run("systemctl", "restart", proxyUnit)
	l.more()
	end()
	l.alive(tunnels)
	s.eventually("the old processes have ended", func() bool { return len(s.processes()) == 1 })
}

// Over TLS a reload is as quiet: the old process keeps the WebSockets that nobody can take over, and hears of every change that
// concerns them. A restart closes them with 1012, which tells browsers to come again.
func TestTLSConnectionsOutliveAReload(t *testing.T) {
	s := onStage(t)
	l := s.overTLS()
	first := l.open(release(50, 1000), nil)
	end := l.visit(release(16, 64))
	l.more()
	s.reloaded()
	hers := rand.Text() // one that has ended is remembered
	second := l.open(release(50, 1000), http.Header{"Cookie": {"jupyterhub-session-id=" + hers}})
	s.reloaded()
	third := l.open(10, nil)
	l.more()
	l.alive(append(append(first, second...), third...))
	s.eventually("what the old processes have is told", func() bool {
		_, rest, _ := strings.Cut(s.table("GET", "../metrics", ""), "\njupyterhub_proxy_tunnels ")
		var open int
		_, err := fmt.Sscan(rest, &open)
		return err == nil && open >= len(first)+len(second)+len(third) && strings.Contains(s.property(proxyUnit, "StatusText"), "; 2 processes before this one keep ")
	})
	if n := len(s.processes()); n != 3 {
		t.Errorf("%d proxies run, for WebSockets of three", n)
	}

	s.table("POST", fmt.Sprintf("sessions/%x/end", sha256.Sum256([]byte(hers))), "")
	l.closed(second, 1008)
	s.eventually("who has lost its last connection ends", func() bool { return len(s.processes()) == 2 })
	l.alive(first)

	s.table("POST", "routes/load/elsewhere", `{"target": "http://127.0.0.1:9"}`)
	s.table("DELETE", "routes/load/elsewhere", "")
	l.alive(first)
	s.run("systemctl", "restart", proxyUnit)
	l.more()
	end()
	l.closed(first, 1012)
	l.closed(third, 1012)
}

// overTLS lets the proxy speak TLS for the rest of the play, with more lines for [proxy], and puts a load on it.
func (s *stage) overTLS(more ...string) *loaded {
	s.t.Helper()
	const dir = "/etc/jupyterhub/tls"
	s.run("mkdir", "--parents", dir)
	s.afterwards("rm", "--recursive", dir)
	s.run("sh", "-c", `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null &&
		chown -R jupyterhub-proxy "$1"`, "sh", dir)
	l := s.load(&tls.Config{InsecureSkipVerify: true})
	s.configure(fmt.Sprintf("[proxy]\ntls_certificate = %q\ntls_key = %q\n%s\n", dir+"/cert.pem", dir+"/key.pem", strings.Join(more, "\n")))
	return l
}

// Eight processes may be left of reloads. With the next the oldest ends, which the journal tells, and nobody else notices.
func TestTheNinthReloadEndsTheOldest(t *testing.T) {
	s := onStage(t)
	l := s.overTLS()
	told := func() int { return strings.Count(s.Journal(s.ctx, proxyUnit), "the oldest ends now") }
	before := told()
	oldest := l.open(2, nil)
	var others []*websocket.Conn
	for range 8 {
		s.reloaded()
		others = append(others, l.open(2, nil)...)
	}
	l.alive(append(oldest, others...))
	if n := told() - before; n != 0 {
		t.Errorf("%d end too early", n)
	}
	s.reloaded()
	l.closed(oldest, 1012)
	l.alive(others)
	s.eventually("eight and one are left", func() bool { return len(s.processes()) == 9 })
	s.eventually("the journal tells of it, once", func() bool { return told() == before+1 })
}

// Who does not end in time is ended: after drain_timeout the old process closes what it has left, with 1012, and goes.
func TestAnOldProxyEndsInTime(t *testing.T) {
	s := onStage(t)
	l := s.overTLS(`drain_timeout = "2s"`)
	old := l.open(3, nil)
	s.reloaded()
	others := l.open(3, nil)
	l.closed(old, 1012)
	s.eventually("the old process has gone", func() bool { return len(s.processes()) == 1 })
	l.alive(others)
}

// After a reload the new process is systemd's as the first was: it answers the watchdog, its death is seen at once, and what follows
// knows the table. A stop leaves it the time that it needs.
func TestTheNewProcessIsTheUnits(t *testing.T) {
	s := onStage(t)
	l := s.load(nil)
	asked := s.property(proxyUnit, "WatchdogTimestampMonotonic")
	first, second := s.confinement(s.mainPID(proxyUnit)), s.confinement(s.reloaded())
	if first != second {
		t.Errorf("the first was confined by\n%s\nand the next by\n%s", first, second)
	}
	for _, bar := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(second, bar) {
			t.Errorf("no %q in\n%s", bar, second)
		}
	}
	s.eventually("the new process answers the watchdog", func() bool { return s.property(proxyUnit, "WatchdogTimestampMonotonic") != asked })
	s.killed(proxyUnit)
	if routes := s.table("GET", "routes", ""); !strings.Contains(routes, "play-load.sock") {
		t.Errorf("after kill -9 the table is %s", routes)
	}
	s.reloaded()
	tunnels := l.open(10, nil)
	s.run("systemctl", "restart", proxyUnit)
	l.alive(tunnels)
	if log := s.Journal(s.ctx, proxyUnit); strings.Contains(log, "reception only permitted") {
		t.Errorf("a process speaks to systemd that is not the unit's main one:\n%s", log)
	}
}

// confinement is what the kernel says of a process's privileges.
func (s *stage) confinement(pid string) string {
	s.t.Helper()
	return s.run("grep", "--extended-regexp", "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)", "/proc/"+pid+"/status")
}

// A new process that cannot begin ends, and says why; nobody else notices.
func TestAFailedReloadIsNotSeen(t *testing.T) {
	s := onStage(t)
	l := s.load(nil)
	tunnels := l.open(10, nil)
	end := l.visit(8)
	l.more()
	pid := s.mainPID(proxyUnit)
	const file = "/etc/jupyterhub/jupyterhub.toml.d/80-broken.toml"
	s.put(file, "[proxy]\nredirect_port = \"eighty\"\n", 0o644)
	s.afterwards("rm", "-f", file)
	if out, err := s.Run(s.ctx, "systemctl", "reload", proxyUnit); err == nil {
		t.Errorf("a broken configuration is taken: %s", out)
	}
	l.more()
	end()
	l.alive(tunnels)
	if now := s.mainPID(proxyUnit); now != pid || len(s.processes()) != 1 {
		t.Errorf("the proxy is %s, was %s; processes %v", now, pid, s.processes())
	}
	if log := s.Journal(s.ctx, proxyUnit); !strings.Contains(log, "80-broken.toml:2") {
		t.Errorf("nobody says why:\n%s", log)
	}
}
