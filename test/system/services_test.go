package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// wiki is a service that answers with what it was given, and asks the hub who it is.
const wiki = `#!/usr/bin/python3
import http.server, json, os, urllib.request
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        request = urllib.request.Request(os.environ["JUPYTERHUB_API_URL"] + "/user", headers={"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]})
        with urllib.request.urlopen(request) as answer: known = json.load(answer)
        body = json.dumps({"path": self.path, "hub": known, "uid": os.getuid(), "greeting": os.environ.get("GREETING"),
            "client": os.environ["JUPYTERHUB_CLIENT_ID"], "prefix": os.environ["JUPYTERHUB_SERVICE_PREFIX"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9310), Answer).serve_forever()
`

const wikiUnit = "jupyterhub-service-wiki.service"

// A service of the configuration runs as a unit that root's side composes: as an account of its own, with its limits, its token by
// credential, reachable through the proxy. It is begun anew when it ends or changes, goes on while hub and spawnd restart, and ends
// when the configuration does not name it any more.
func TestAServiceOfTheConfiguration(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/wiki", wiki, 0o755)
	const service = "[[hub.services]]\nname = \"wiki\"\nurl = \"http://127.0.0.1:9310\"\ncommand = [\"wiki\"]\nmem_limit = \"300M\"\n" +
		"environment = { GREETING = \"%s\" }\n[[hub.load_roles]]\nname = \"reader\"\nscopes = [\"list:users\"]\nservices = [\"wiki\"]\n"
	t.Run("runs", func(t *testing.T) {
		s := &stage{Bed: s.Bed, t: t, ctx: t.Context(), hub: s.hub}
		s.configure(fmt.Sprintf(service, "hello"))
		first := s.wiki("hello")
		if first.Hub.Kind != "service" || first.Hub.Name != "wiki" || first.Path != "/services/wiki/page" || first.Prefix != "/services/wiki/" || first.Client != "service-wiki" {
			t.Errorf("it answers %+v", first)
		}
		if hub := first.UID; hub == 0 || hub >= 1000 && hub < 60000 || fmt.Sprint(hub) == s.run("id", "-u", "jupyterhub") {
			t.Errorf("it runs as uid %d", hub)
		}
		if got := s.run("systemctl", "show", "--property=MemoryMax", "--property=Slice", "--property=Restart", wikiUnit); !strings.Contains(got, "MemoryMax=314572800") ||
			!strings.Contains(got, "jupyterhub-services.slice") || !strings.Contains(got, "Restart=always") {
			t.Errorf("its unit has %s", got)
		}
		if strings.Contains(s.run("systemctl", "show", "--property=Environment", wikiUnit), "TOKEN") {
			t.Error("the token is in the unit's properties")
		}
		pid := s.mainPID(wikiUnit)
		s.killed("jupyterhub.service")
		s.killed("jupyterhub-spawnd.service")
		s.wiki("hello")
		if now := s.mainPID(wikiUnit); now != pid {
			t.Errorf("it was started anew: %s, %s", pid, now)
		}
		if err := s.Kill(s.ctx, wikiUnit, "SIGKILL"); err != nil {
			t.Fatal(err)
		}
		s.eventually("systemd starts it again", func() bool { now := s.mainPID(wikiUnit); return now != pid && now != "0" })
		s.wiki("hello")
		pid = s.mainPID(wikiUnit)
		s.configure(fmt.Sprintf(service, "good-bye"))
		s.wiki("good-bye")
		if now := s.mainPID(wikiUnit); now == pid {
			t.Error("a change did not reach it")
		}
	})
	s.eventually("it ends when nobody names it", func() bool {
		return s.run("sh", "-c", "systemctl is-active "+wikiUnit+" || true") == "inactive"
	})
	if at := s.player("alice").get("/services/wiki/page"); at.status == http.StatusOK && strings.Contains(at.text, "greeting") {
		t.Error("the proxy leads there still")
	}
}

type wikiSays struct {
	Path, Greeting, Client, Prefix string
	UID                            int
	Hub                            struct{ Kind, Name string }
}

// wiki asks the service through the proxy until it greets as expected.
func (s *stage) wiki(greeting string) (said wikiSays) {
	s.t.Helper()
	s.eventually("the service says "+greeting, func() bool {
		at := s.player("alice").get("/services/wiki/page")
		said = wikiSays{}
		return at.status == http.StatusOK && json.Unmarshal([]byte(at.text), &said) == nil && said.Greeting == greeting
	})
	return said
}

// Root's side runs no service as root, and none whose program somebody else could replace; the others run all the same.
func TestAServiceThatMustNotRun(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/wiki", wiki, 0o755)
	s.put("/usr/local/bin/open-wiki", wiki, 0o777)
	s.run("chmod", "0777", "/usr/local/bin/open-wiki")
	s.configure("[[hub.services]]\nname = \"wiki\"\nurl = \"http://127.0.0.1:9310\"\ncommand = [\"wiki\"]\nenvironment = { GREETING = \"hi\" }\n" +
		"[[hub.services]]\nname = \"asroot\"\ncommand = [\"wiki\"]\nuser = \"root\"\n[[hub.services]]\nname = \"open\"\ncommand = [\"open-wiki\"]\n")
	s.wiki("hi")
	for _, name := range []string{"asroot", "open"} {
		if got := s.run("sh", "-c", "systemctl is-active jupyterhub-service-"+name+".service || true"); got != "inactive" {
			t.Errorf("%s is %s", name, got)
		}
	}
	if services, err := s.hub.Services(s.ctx); err != nil || services["wiki"].Name != "wiki" {
		t.Errorf("services: %+v, %v", services, err)
	}
}
