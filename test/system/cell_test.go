package system

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

// Alice comes with nothing but her system password, and a cell runs in a JupyterLab of her own: as her account, inside her
// unit. This is what everything else is for.
func TestAliceRunsACell(t *testing.T) {
	s := onStage(t)
	p := s.player("alice")

	door := p.get("/")
	if door.url.Path != "/hub/login" || door.status != http.StatusOK {
		t.Fatalf("a stranger is led to %s, %d", door.url, door.status)
	}
	p.logIn("/hub/home")

	told := p.startServer()
	if len(told) == 0 {
		t.Fatal("alice's server started without a word")
	}
	for i, e := range told {
		last := i == len(told)-1
		if e.Ready != last || e.Failed || e.Message == "" {
			t.Errorf("event %d of %d of a good start is %+v", i+1, len(told), e)
		}
		if i > 0 && e.Progress < told[i-1].Progress {
			t.Errorf("the progress goes back from %d to %d", told[i-1].Progress, e.Progress)
		}
	}

	lab := p.get("/user/alice/lab")
	if lab.status != http.StatusOK || lab.url.Path != "/user/alice/lab" || !strings.Contains(lab.text, "jupyter-config-data") {
		t.Fatalf("JupyterLab is at %s, %d:\n%s", lab.url, lab.status, lab.text)
	}

	k := p.kernel()
	who := s.run("id", "--user", "alice")
	if got := strings.TrimSpace(k.run("import os; print(os.getuid(), os.getcwd())")); got != who+" /home/alice" {
		t.Errorf("the kernel runs as %q", got)
	}
	if got := k.run("print(sum(range(10)))\n6*7"); got != "45\n" {
		t.Errorf("the cell prints %q", got)
	}
	unit := hub.UnitName(alice)
	groups := k.run("print(open('/proc/self/cgroup').read())")
	if !strings.Contains(groups, "/jupyter.slice/jupyter-user_alice.slice/"+unit) {
		t.Errorf("the kernel is in the control groups\n%s", groups)
	}
	if journal := s.Journal(s.ctx, unit); !strings.Contains(journal, "alice") {
		t.Errorf("journalctl -u %s knows nothing of it:\n%s", unit, journal)
	}
}

// Alice logs out: nothing that her browser still has opens anything.
func TestLogoutIsTheEnd(t *testing.T) {
	s := onStage(t)
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	p.get("/user/alice/lab")
	k := p.kernel()
	base, err := url.Parse(testbed.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := p.http.Jar.Cookies(base.JoinPath("user/alice/api"))

	p.get("/hub/logout")
	k.mustBeCut()
	p.http.Jar.SetCookies(base.JoinPath("user/alice/api"), before)
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if at := p.get("/user/alice/api/kernels"); at.status == http.StatusOK {
		t.Errorf("the old cookies open %s: %s", at.url, at.text)
	}
	if at := p.get("/hub/home"); at.status != http.StatusFound || !strings.HasPrefix(at.header.Get("Location"), "/hub/login") {
		t.Errorf("the home page answers %d %s", at.status, at.header.Get("Location"))
	}
}
