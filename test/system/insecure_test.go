package system

import (
	"strings"
	"testing"
)

// elsewhere is an address that is not loopback, of a machine that has no network: RFC 5737 keeps it for examples.
const elsewhere = "192.0.2.1"

// Vulnerability: a password in the clear on a network. Attack: the admin gives the proxy an address and no certificate, and
// somebody logs in there. Verified: there is no form to type it into, typing it blindly is refused, the page says what to do;
// on this machine itself the form is there as before.
func TestNoPasswordCrossesANetworkInTheClear(t *testing.T) {
	s := onStage(t)
	const dropIn = "/etc/systemd/system/jupyterhub-proxy.socket.d/70-play.conf"
	again := []string{"sh", "-c", "systemctl daemon-reload && systemctl stop jupyterhub-proxy.socket jupyterhub-proxy.service && " +
		"systemctl start jupyterhub-proxy.socket jupyterhub-proxy.service"}
	s.run("ip", "address", "add", elsewhere+"/32", "dev", "lo")
	s.put(dropIn, "[Socket]\nListenStream="+elsewhere+":8000\n", 0o644)
	t.Cleanup(func() {
		s.undo("ip", "address", "del", elsewhere+"/32", "dev", "lo")
		s.undo("rm", "-f", dropIn)
		s.undo(again[0], again[1:]...)
	})
	s.run(again[0], again[1:]...)

	login := "http://" + elsewhere + ":8000/hub/login"
	page := s.run("curl", "--silent", "--write-out", "%{http_code}", login)
	if !strings.HasSuffix(page, "403") || strings.Contains(page, `type="password"`) || !strings.Contains(page, "insecure_http") {
		t.Errorf("from elsewhere the page is:\n%s", page)
	}
	typed := "username=alice&password=" + s.Password("alice")
	if got := s.run("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--data", typed, login); got != "403" {
		t.Errorf("a password typed blindly is answered %s", got)
	}
	if page := s.run("curl", "--silent", "http://127.0.0.1:8000/hub/login"); !strings.Contains(page, `type="password"`) {
		t.Errorf("on the machine itself the page is:\n%s", page)
	}
}
