package system

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

var mallory = hub.ServerRef{User: "mallory"}

// Vulnerability: the directory of a server's socket belongs to its user, who may put a link to any socket there; a proxy that
// follows it shows one user's server to another, or lets a visitor through to a door that only the proxy may enter.
// Attack: mallory's server runs and is ready. Then she puts links in the place of her socket: to bob's, to the doors of proxy
// and hub that the proxy's own account may open, to the bus.
// Verified: the visitor gets a plain refusal, and what the links lead to hears nothing.
func TestMalloryLinksHerSocketToOthers(t *testing.T) {
	s := onStage(t)
	s.probed("", "bob", "mallory")
	// A connection that the proxy keeps would lead to what she ran before.
	s.put("/usr/local/bin/probe-singleuser", strings.Replace(probe, "HTTP/1.1", "HTTP/1.0", 1), 0o755)
	s.start(bob)
	s.start(mallory)
	own := s.unit(mallory).Socket
	if status := s.answers("/user/mallory/api"); status != http.StatusOK {
		t.Fatalf("mallory's server answers %d before she begins", status)
	}
	s.can(mallory, "mv "+own+" "+own+".real")
	for _, target := range []string{s.unit(bob).Socket, "/run/jupyterhub/hub.sock", "/run/jupyterhub-proxy/api.sock",
		"/run/dbus/system_bus_socket", "/run/systemd/journal/stdout"} {
		s.linked(own, target)
		if at := s.player("alice").get("/user/mallory/api"); at.status < http.StatusInternalServerError {
			t.Errorf("with a link to %s mallory's server answers %d:\n%s", target, at.status, at.text)
		}
	}
	s.linked(own, own+".real")
	s.eventually("her own socket, by a link, is hers", func() bool { return s.answers("/user/mallory/api") == http.StatusOK })
}

// linked puts a link in mallory's socket directory, as she does: a file that is hers, in a directory that is hers.
func (s *stage) linked(link, target string) {
	s.t.Helper()
	if _, err := s.As("mallory").Run(s.ctx, "ln", "-sfn", target, link); err != nil {
		s.t.Fatal(err)
	}
}

// Vulnerability: the same, in the moment when the hub itself looks whether a server answers.
// Attack: mallory's program listens, lets the hub come once, puts a link to bob's server or to a door of the hub's in the place
// of its socket, and only then says that it is not ready yet.
// Verified: the hub does not say a word to what is behind the link; the start fails and says why.
func TestMalloryLinksHerSocketWhileTheHubLooks(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/swap", `#!/usr/bin/python3
import os, socket, sys, time
own, target = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX); listener.bind(own); os.chmod(own, 0o666); listener.listen()
visitor = listener.accept()[0]; visitor.recv(65536)
os.symlink(target, own + ".link"); os.rename(own + ".link", own)
visitor.sendall(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); visitor.close()
time.sleep(1000)
`, 0o755)
	s.probed("", "bob")
	s.start(bob)
	for _, target := range []string{s.unit(bob).Socket, "/run/jupyterhub/hub.sock", "/run/jupyterhub-proxy/api.sock"} {
		s.configure("[spawner]\nhttp_timeout = \"2s\"\n[spawner.user.bob]\ncmd = [\"probe-singleuser\"]\n" +
			"[spawner.user.mallory]\ncmd = [\"swap\"]\nargs = [\"{socket}\", " + strconv.Quote(target) + "]\n")
		if ready, err := s.hub.StartServer(s.ctx, mallory, client.StartRequest{}); ready || err == nil {
			t.Errorf("with a link to %s mallory's server is ready=%t, %v", target, ready, err)
		}
		// The mode of hub.sock keeps the hub itself out, so there it merely gets no answer.
		cause := s.lastEvent(mallory).Cause
		if cause == nil || !strings.Contains(cause.Message, "Somebody else listens") && !strings.HasSuffix(target, "hub.sock") {
			t.Errorf("with a link to %s the cause is %+v", target, cause)
		}
	}
}

// Vulnerability: a port that is free for a moment is anybody's; what listens there gets every server's token.
// Attack: mallory tries to bind the ports of the token API and of the proxy without a pause, while the admin restarts, stops
// and starts the hub and the proxy, and kills them.
// Verified: she never gets one.
func TestMalloryWaitsForAPort(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/squat", `#!/usr/bin/python3
import errno, os, socket
tries = 0
while not os.path.exists("/tmp/enough"):
    for port in 8000, 8081:
        for host in "127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1":
            s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            if ":" in host: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                s.bind((host, port)); s.listen()
                print("GOT", host, port, flush=True); raise SystemExit(1)
            except OSError as e:
                if e.errno != errno.EADDRINUSE: raise
            s.close()
    tries += 1
    if tries == 1: print("TRYING", flush=True)
print("tries", tries)
`, 0o755)
	squatter := s.As("mallory").Cmd(s.ctx, "squat")
	said := &lines{seen: make(chan struct{})}
	squatter.Stdout, squatter.Stderr = said, said
	if err := squatter.Start(); err != nil {
		t.Fatal(err)
	}
	s.afterwards("rm", "-f", "/tmp/enough")
	select {
	case <-said.seen:
	case <-time.After(patience):
		t.Fatal("mallory does not begin")
	}
	for _, unit := range []string{"jupyterhub.service", "jupyterhub-proxy.service"} {
		s.run("systemctl", "restart", unit)
		s.run("systemctl", "stop", unit)
		s.run("systemctl", "start", unit)
		s.killed(unit)
	}
	s.put("/tmp/enough", "", 0o644)
	if err := squatter.Wait(); err != nil || strings.Contains(said.String(), "GOT") {
		t.Errorf("mallory ends with %v and says %q", err, said)
	}
	s.eventually("the hub answers", func() bool { return s.answers("/hub/health") == http.StatusOK })
}

// Vulnerability: work that leaves the unit leaves its limits.
// Attack: from her server mallory starts processes in every way that hands them to somebody else: a user manager, lingering,
// transient units, at, cron, a detached process.
// Verified: what is not refused stays in her unit's control group, and ends with it.
func TestMalloryRunsAwayFromHerUnit(t *testing.T) {
	s := onStage(t)
	s.probed("", "mallory")
	if err := s.InstallPackages(s.ctx, "at", "cron"); err != nil {
		t.Log(err) // a distribution without them: left out below
	} else {
		s.run("systemctl", "start", "atd", "cron")
	}
	s.start(mallory)
	s.afterwards("loginctl", "disable-linger", "mallory")
	escape := "/tmp/escaped-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	run := "sh -c 'cat /proc/self/cgroup >/var" + escape + "; exec sleep 1000'"
	for _, way := range []struct{ program, command string }{
		{"systemd-run", "--user --collect " + run},
		{"systemd-run", "--collect --uid=mallory " + run},
		{"systemd-run", "--scope --user " + run},
		{"loginctl", "enable-linger"},
		{"loginctl", "enable-linger mallory"},
		{"systemctl", "--user start default.target"},
		{"systemctl", "start user@$(id -u).service"},
		{"busctl", "call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager SetUserLinger ubb $(id -u) true false"},
		{"busctl", "call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager " +
			`StartTransientUnit 'ssa(sv)a(sa(sv))' escape.service fail 2 Description s x ExecStart 'a(sasb)' 1 /bin/sleep 2 sleep 1000 false 0`},
		{"at", "now <<<\"" + run + "\""},
		{"crontab", "- <<<\"* * * * * " + run + "\""},
		{"sudo", "-n " + run}, {"pkexec", run}, {"/usr/sbin/runuser", "-u mallory -- " + run},
		{"su", "mallory -c true"},
		{"touch", "/var/spool/cron/crontabs/mallory"},
		{"mkdir", "/sys/fs/cgroup/systemd/away"},
		{"tee", "/sys/fs/cgroup/systemd/cgroup.procs <<<$$"},
		{"unshare", "--user --map-root-user true"},
	} {
		if _, there := s.tries(mallory, "command -v "+way.program); !there {
			t.Logf("left out, there is no %s: what the kernel says below has to do", way.program)
			continue
		}
		s.cannot(mallory, "timeout 20 "+way.program+" "+way.command)
	}
	s.nothingHelps(mallory)
	if linger := s.run("sh", "-c", "ls /var/lib/systemd/linger 2>/dev/null || true"); linger != "" {
		t.Errorf("mallory lingers: %s", linger)
	}
	if escaped := s.run("sh", "-c", "cat /var"+escape+" 2>/dev/null || true"); escaped != "" {
		t.Errorf("mallory's process runs in\n%s", escaped)
	}

	s.can(mallory, "(setsid nohup bash -c 'exec -a runaway sleep 1000' >/dev/null 2>&1 &)")
	const runaway = "cat /proc/$(pgrep -f '^runaway')/cgroup 2>/dev/null || true"
	s.eventually("her detached process runs", func() bool { return s.run("sh", "-c", runaway) != "" })
	group := s.run("sh", "-c", runaway)
	if !strings.Contains(group, hub.UnitName(mallory)) {
		t.Errorf("a detached process is in\n%s", group)
	}
	if _, err := s.hub.StopServer(context.WithoutCancel(s.ctx), mallory, false); err != nil {
		t.Fatal(err)
	}
	if left, err := s.Run(s.ctx, "pgrep", "--uid", "mallory"); err == nil {
		t.Errorf("of mallory is left: %s", left)
	}
}

// nothingHelps looks at what refuses all such programs, those that this machine lacks among them: set-id bits gain nothing,
// there is no bus to ask, and no place where a daemon of somebody else's looks for work can be written to.
func (s *stage) nothingHelps(ref hub.ServerRef) {
	s.t.Helper()
	if status := s.can(ref, "cat /proc/self/status"); !regexp.MustCompile(`(?m)^NoNewPrivs:\s1$`).MatchString(status) {
		s.t.Errorf("the processes of %s may gain privileges:\n%s", ref, status)
	}
	for _, place := range []string{"/run/dbus/system_bus_socket", "/run/user", "/run/systemd/private", "/etc/cron.d", "/var/lib/systemd/linger",
		"/var/spool", "/var/spool/cron", "/var/spool/cron/crontabs", "/var/spool/cron/atjobs", "/var/spool/cron/atspool", "/var/spool/at"} {
		s.cannot(ref, "test -w "+place)
	}
}
