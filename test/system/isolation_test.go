package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Vulnerability: a secret that another account of the machine can read (systemdspawner's CVE-2020-26261: the token stood in
// the unit's environment, which the bus shows to everybody).
// Attack: alice looks in every place where a token could lie: the bus, the unit's files, /proc, /run, the journal, the hub's
// state. Once from inside her server, once from a login shell, which has no sandbox.
// Verified: bob's token is nowhere.
func TestAliceLooksForBobsToken(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice", "bob")
	s.start(alice)
	s.start(bob)
	token := s.can(bob, "printf %s $JUPYTERHUB_API_TOKEN")
	if len(token) < 20 || !strings.Contains(s.run("cat", "/proc/"+s.mainPID(hub.UnitName(bob))+"/environ"), token) {
		t.Fatalf("bob's token is %q", token)
	}
	const object = "/org/freedesktop/systemd1/unit/jupyter_2dbob_2eservice"
	looks := []string{
		"systemctl show " + hub.UnitName(bob),
		"systemctl cat " + hub.UnitName(bob),
		"systemctl status --full " + hub.UnitName(bob),
		"busctl introspect --full org.freedesktop.systemd1 " + object,
		"busctl call org.freedesktop.systemd1 " + object + " org.freedesktop.DBus.Properties GetAll s org.freedesktop.systemd1.Service",
		"busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Dump",
		"cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline",
		"grep -rsaI . /run --include='*'",
		"cat /run/credentials/*/*",
		"cat /run/systemd/transient/* /run/systemd/units/*",
		"journalctl --all --output=verbose",
		"cat /var/lib/jupyterhub/* /var/lib/jupyterhub-proxy/* /etc/jupyterhub/*",
		"ps axeww",
	}
	for _, look := range looks {
		inside, _ := s.tries(alice, look)
		outside, _ := s.As("alice").Run(s.ctx, "sh", "-c", look+" 2>&1") // most of it is refused, as it should
		for where, seen := range map[string]string{"inside her server": inside, "in a login shell": outside} {
			if strings.Contains(seen, token) {
				t.Errorf("alice finds bob's token %s by %s", where, look)
			}
		}
	}
}

// Vulnerability: a door that opens for the wrong account.
// Attack: alice connects to every socket of the hub's and to bob's server, from inside her server and from a login shell, and
// to bob's memory and files.
// Verified: the kernel refuses each time.
func TestAliceTriesEveryDoor(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice", "bob")
	s.start(alice)
	s.start(bob)
	s.put("/usr/local/bin/knock", `#!/usr/bin/python3
import socket, sys
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
`, 0o755)
	bobs := s.mainPID(hub.UnitName(bob))
	for _, attempt := range []string{
		"knock " + s.unit(bob).Socket,
		"knock /run/jupyterhub/hub.sock",
		"knock /run/jupyterhub/admin.sock",
		"knock /run/jupyterhub/credentials.sock",
		"knock /run/jupyterhub/spawnd.sock",
		"knock /run/jupyterhub/pam.sock",
		"knock /run/jupyterhub/passwd.sock",
		"knock /run/jupyterhub-proxy/api.sock",
		"ls " + strings.TrimSuffix(s.unit(bob).Socket, "/s"),
		"ls /run/credentials/" + hub.UnitName(bob),
		"ls /var/lib/jupyterhub",
		"ls /var/lib/jupyterhub-proxy",
		"cat /proc/" + bobs + "/environ",
		"cat /proc/" + bobs + "/mem",
		"ls /proc/" + bobs + "/root/",
		"ls /proc/" + bobs + "/fd",
		"kill -0 " + bobs,
		"systemctl stop " + hub.UnitName(bob),
		"systemctl kill " + hub.UnitName(bob),
		"systemctl set-property --runtime " + hub.UnitName(bob) + " MemoryMax=1M",
		"systemctl restart jupyterhub.service",
		"echo 1 >/sys/fs/cgroup/systemd/jupyter.slice/cgroup.procs",
	} {
		s.cannot(alice, attempt)
		if out, err := s.As("alice").Run(s.ctx, "sh", "-c", attempt); err == nil {
			t.Errorf("in a login shell alice can %s: %s", attempt, out)
		}
	}
	if now := s.mainPID(hub.UnitName(bob)); now != bobs {
		t.Errorf("bob's server was process %s and is %s", bobs, now)
	}
	for _, listing := range []string{"ls /run/jupyter/", "ls /run/jupyterhub/"} {
		if out, err := s.As("alice").Run(s.ctx, "sh", "-c", listing); err == nil && strings.Contains(listing, "/run/jupyter/") {
			t.Errorf("%s shows alice %s", listing, out)
		}
	}
}

// Vulnerability: one login that opens another's server or speaks for another at the API.
// Attack: alice, logged in, asks for bob's real JupyterLab, its API, a kernel and its WebSocket, and for bob at the hub's
// API, with her cookies, with a token of her own, and with the token of her server.
// Verified: she is told that there is nothing, or that she may not.
func TestAliceAsksForBobsServer(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice")
	s.start(alice)
	b := s.player("bob")
	b.logIn("/hub/home")
	b.startServer()
	if lab := b.get("/user/bob/lab"); lab.status != http.StatusOK {
		t.Fatalf("bob's own JupyterLab answers %d", lab.status)
	}
	kernel := b.kernel()

	a := s.player("alice")
	a.logIn("/hub/home")
	own, err := s.hub.NewToken(s.ctx, "alice", client.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	identities := map[string]string{"her cookies": "", "her token": own.Value, "her server's token": s.can(alice, "printf %s $JUPYTERHUB_API_TOKEN")}
	for with, token := range identities {
		for _, ask := range [][2]string{
			{"GET", "/user/bob/lab"}, {"GET", "/user/bob/api/contents"}, {"GET", "/user/bob/api/kernels/" + kernel.id + "/channels"},
			{"POST", "/user/bob/api/kernels"}, {"POST", "/user/bob/api/terminals"}, {"DELETE", "/user/bob/api/kernels/" + kernel.id},
			{"GET", "/hub/api/users/bob"}, {"GET", "/hub/api/users/bob/tokens"}, {"POST", "/hub/api/users/bob/tokens"},
			{"DELETE", "/hub/api/users/bob/server"}, {"GET", "/hub/api/users/bob/server/progress"}, {"GET", "/hub/api/users"},
			{"POST", "/hub/api/users/mallory"}, {"GET", "/hub/api/proxy"}, {"POST", "/hub/api/shutdown"}, {"GET", "/hub/spawn/bob"}, {"GET", "/hub/admin"},
		} {
			status := a.asks(ask[0], ask[1], token)
			if status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusUnauthorized {
				t.Errorf("%s %s with %s is answered with %d", ask[0], ask[1], with, status)
			}
		}
	}
	if out := kernel.run("print('still here')"); out != "still here\n" {
		t.Errorf("bob's kernel says %q", out)
	}
}

// asks makes a request as a program does: no redirect to a login page is followed further than the hub's own pages.
func (p *player) asks(method, path, token string) int {
	p.t.Helper()
	browser := *p.http
	if token != "" {
		browser.Jar = nil
	}
	request := p.request(p.s.ctx, method, path, nil)
	if token != "" {
		request.Header.Set("Authorization", "token "+token)
	} else {
		request.Header.Set("X-XSRFToken", p.cookie(request.URL, "_xsrf"))
	}
	response, err := browser.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if strings.HasPrefix(response.Request.URL.Path, "/hub/login") {
		return http.StatusUnauthorized
	}
	return response.StatusCode
}
