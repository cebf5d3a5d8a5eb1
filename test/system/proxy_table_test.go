package system

import (
	"strings"
	"testing"
)

// The proxy killed with -9 knows its table again at once, from its own file: nobody else could tell it, the hub being away.
func TestTheProxyKilledKeepsItsTable(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice")
	s.start(alice)
	s.run("systemctl", "stop", "jupyterhub.service")
	s.afterwards("systemctl", "start", "jupyterhub.service")
	before := s.mainPID("jupyterhub-proxy.service")
	if err := s.Kill(s.ctx, "jupyterhub-proxy.service", "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	if got := s.visit("/user/alice/x"); !strings.Contains(got, "mirror of alice\nGET /user/alice/x") {
		t.Errorf("after its death: %s", got)
	}
	if after := s.mainPID("jupyterhub-proxy.service"); after == before || after == "0" {
		t.Errorf("the proxy's process was %s and is %s", before, after)
	}
	if state := s.run("sh", "-c", "systemctl is-active jupyterhub.service || true"); state != "inactive" {
		t.Errorf("the hub was asked: it is %s", state)
	}
}

// A damaged file costs nothing that the hub does not bring back.
func TestADamagedTableIsFilledAgain(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice")
	s.start(alice)
	const file = "/var/lib/jupyterhub-proxy/routes.json"
	s.run("systemctl", "stop", "jupyterhub-proxy.service")
	s.run("sh", "-c", "printf '{\"version\":1,' >"+file)
	s.run("systemctl", "start", "jupyterhub-proxy.service")
	if log := s.Journal(s.ctx, "jupyterhub-proxy.service"); !strings.Contains(log, "is damaged, and is kept as "+file+".damaged") {
		t.Errorf("nothing in the journal:\n%s", log)
	}
	s.run("systemctl", "restart", "jupyterhub.service")
	s.eventually("alice's server is reached again", func() bool { return strings.Contains(s.visit("/user/alice/"), "mirror of alice") })
	s.run("rm", file+".damaged")
}

// With the hub away its pages are a plain one that says when to come again; a server that runs does not notice.
func TestTheHubAwayIsAPlainPage(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice")
	s.start(alice)
	s.run("systemctl", "stop", "jupyterhub-hub.socket", "jupyterhub.service")
	s.afterwards("systemctl", "start", "jupyterhub-hub.socket", "jupyterhub.service")
	at := s.player("alice").get("/hub/home")
	if at.status != 503 || at.header.Get("Retry-After") != "5" || !strings.Contains(at.text, "JupyterHub is away") {
		t.Errorf("%d %v\n%s", at.status, at.header, at.text)
	}
	if got := s.visit("/user/alice/"); !strings.Contains(got, "mirror of alice") {
		t.Errorf("alice is cut: %s", got)
	}
}

// A certificate is taken over by a reload, without a restart; one that does not fit is refused, and the old one stays.
func TestCertificatesAreReloaded(t *testing.T) {
	s := onStage(t)
	const make = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$1" -keyout "$2/key.pem" -out "$2/cert.pem" 2>/dev/null &&
		chown -R jupyterhub-proxy "$2"`
	const dir = "/etc/jupyterhub/tls"
	s.run("mkdir", "--parents", dir)
	s.afterwards("rm", "--recursive", dir)
	s.run("sh", "-c", make, "sh", "first", dir)
	s.configure("[proxy]\ntls_certificate = \"" + dir + "/cert.pem\"\ntls_key = \"" + dir + "/key.pem\"\n")
	pid := s.mainPID("jupyterhub-proxy.service")
	subject := func() string {
		return s.run("sh", "-c", "openssl s_client -connect 127.0.0.1:8000 </dev/null 2>/dev/null | openssl x509 -noout -subject")
	}
	if got := subject(); !strings.HasSuffix(got, "first") {
		t.Errorf("the first is %s", got)
	}
	s.run("sh", "-c", make, "sh", "second", dir)
	s.run("jupyterhub", "reload")
	if got := subject(); !strings.HasSuffix(got, "second") {
		t.Errorf("the second is %s", got)
	}
	s.run("sh", "-c", ": >"+dir+"/key.pem")
	if out, err := s.Run(s.ctx, "jupyterhub", "reload"); err == nil || !strings.Contains(err.Error(), "proxy.tls_certificate") {
		t.Errorf("a broken key: %s, %v", out, err)
	}
	if got := subject(); !strings.HasSuffix(got, "second") {
		t.Errorf("after a broken key it is %s", got)
	}
	if now := s.mainPID("jupyterhub-proxy.service"); now != pid {
		t.Errorf("the proxy was restarted: %s, then %s", pid, now)
	}
}
