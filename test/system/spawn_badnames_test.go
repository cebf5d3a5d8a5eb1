package system

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// Accounts have names that files, units, addresses and command lines have other uses for. Each logs in, starts a server in a unit of its
// own by systemd's escaping, and is at home there as itself; none meets another's, and what is written down of the unit is read again.
func TestAccountsMayHaveUncommonNames(t *testing.T) {
	s := onStage(t)
	names := []string{"Dora", "dora", "dora@example.org", `CORP\dora`, "döra", "do.ra-1_x", "dora$"}
	var config strings.Builder
	for _, name := range names {
		if out, err := s.Run(s.ctx, "useradd", "--badname", "--create-home", "--home-dir", "/home/"+hub.UnitName(hub.ServerRef{User: name}), name); err != nil {
			t.Fatalf("this system has no account called %q: %v %s", name, err, out)
		}
		s.afterwards("userdel", "--remove", "--force", name)
		s.forgotten(name)
		s.password(name, "correct horse")
		config.WriteString("[spawner.user." + strconv.Quote(name) + "]\ncmd = [\"probe-singleuser\"]\n")
	}
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure(config.String())
	units := map[string]bool{}
	for _, name := range names {
		ref := hub.ServerRef{User: name}
		p := s.player(name)
		if at := p.tryPassword("correct horse", "/hub/home"); at.status != http.StatusOK || !strings.Contains(at.words(), name) {
			t.Fatalf("%s logs in and is at %s, %d:\n%s", name, at.url, at.status, at.words())
		}
		s.start(ref)
		unit := s.unit(ref)
		if unit.Name != hub.UnitName(ref) || units[unit.Name] {
			t.Errorf("%q runs as %s", name, unit.Name)
		}
		units[unit.Name] = true
		if told := s.can(ref, `id --user --name; echo "$JUPYTERHUB_USER"; cd && echo "$PWD $HOME"; touch mine`); told != name+"\n"+name+"\n/home/"+unit.Name+" /home/"+unit.Name {
			t.Errorf("the server of %q says\n%s", name, told)
		}
		if at := p.get("/user/" + url.PathEscape(name) + "/api"); at.status != http.StatusOK {
			t.Errorf("%s asks for the own server at %s and gets %d", name, at.url, at.status)
		}
	}
	s.run("systemctl", "daemon-reload")
	s.killed("jupyterhub-spawnd.service") // the next one knows them by what systemd has
	for _, name := range names {
		ref := hub.ServerRef{User: name}
		if story := s.Journal(s.ctx, hub.UnitName(ref)); strings.Contains(story, ", ignoring") {
			t.Errorf("systemd complains of the unit of %q:\n%s", name, story)
		}
		s.becomes(ref, hub.Running)
		if told := s.can(ref, "id --user --name; ls ~/mine"); !strings.HasPrefix(told, name+"\n") {
			t.Errorf("after a daemon-reload the server of %q says %s", name, told)
		}
	}
}
