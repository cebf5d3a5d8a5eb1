package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// A guest is somebody without an account, whose name and password stand in a table of root's alone. The play is a whole visit, with the
// real JupyterLab: the login form, a server, a cell that writes into the home, another server that finds it there. Then root takes the
// guest out of the table, and sessions, tokens and servers end.
func TestAGuestLogsInAndIsShownOut(t *testing.T) {
	s := onStage(t)
	s.guestTable(map[string]string{"guest-ann": "open sesame", "alice": "a guest's password"})
	s.put("/etc/pam.d/jupyterhub-guests", s.run("cat", "/usr/share/doc/jupyterhub/examples/jupyterhub-guests"), 0o644)
	s.afterwards("sh", "-c", "rm -rf /etc/pam.d/jupyterhub-guests /etc/jupyterhub/guests.db /var/lib/jupyter-guests /var/lib/private/jupyter-guests")
	s.configure(`[authenticator]
auth_refresh_age = "1s"
guest_users = ["guest-*", "alice"]
guest_groups = ["guests"]
[spawner.group.guests]
mem_limit = "600M"
`)
	s.forgotten("guest-ann")
	ann := hub.ServerRef{User: "guest-ann"}
	p := s.player("Guest-Ann")
	if at := p.tryPassword("open sesam", "/hub/home"); !strings.Contains(at.text, "login-form") {
		t.Errorf("with a wrong password, %s is at %s", p.name, at.url)
	}
	if at := s.player("alice").tryPassword("a guest's password", "/hub/home"); !strings.Contains(at.text, "login-form") {
		t.Error("an account comes in by a guest's password")
	}
	if at := p.tryPassword("open sesame", "/hub/home"); at.url.Path != "/hub/home" || !strings.Contains(at.text, `data-user="guest-ann"`) {
		t.Fatalf("%s is at %s, %d:\n%s", p.name, at.url, at.status, at.text)
	}
	p.name = "guest-ann"
	for _, want := range []string{"None", "kept"} {
		p.startServer()
		if lab := p.get("/user/guest-ann/lab"); lab.status != http.StatusOK {
			t.Fatalf("JupyterLab is at %s, %d:\n%s", lab.url, lab.status, lab.text)
		}
		told := strings.Fields(p.kernel().run(`import os, pathlib
kept = pathlib.Path.home() / "kept"
print(os.getuid(), pathlib.Path.home(), kept.read_text() if kept.exists() else None)
kept.write_text("kept")`))
		if len(told) != 3 || len(told[0]) != 5 || !strings.HasPrefix(told[1], "/var/lib/jupyter-guests/guest_ann-") || told[2] != want {
			t.Fatalf("the cell prints %q, want %s at the end", told, want)
		}
		if limit := s.property(hub.UnitName(ann), "MemoryMax"); limit != "629145600" {
			t.Errorf("MemoryMax of a guest's server is %s", limit)
		}
		if want == "None" {
			if _, err := s.hub.StopServer(s.ctx, ann, false); err != nil {
				t.Fatal(err)
			}
			s.becomes(ann, hub.Stopped)
		}
	}
	s.guestTable(map[string]string{"guest-bob": "another"})
	s.showsOut(p, ann)
}

// Guests can be asked by any program of root's: here everybody who knows the word of the day comes in by a name of their own choice. The
// same program says later that one of them may not stay; and a name that becomes an account's is a guest's no more.
func TestGuestsOfAWorkshop(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.put("/etc/jupyterhub/guest", `#!/bin/sh
[ ! -e "/etc/jupyterhub/shut-$PAM_USER" ] || exit 1
[ "$PAM_TYPE" = account ] || [ "$(tr -d '\0')" = "word of the day" ]
`, 0o755)
	s.put("/etc/pam.d/jupyterhub-guests", `auth required pam_exec.so quiet expose_authtok /etc/jupyterhub/guest
account required pam_exec.so quiet /etc/jupyterhub/guest
`, 0o644)
	s.afterwards("sh", "-c", "rm -rf /etc/pam.d/jupyterhub-guests /etc/jupyterhub/guest /etc/jupyterhub/shut-* /var/lib/jupyter-guests /var/lib/private/jupyter-guests")
	s.configure(`[authenticator]
auth_refresh_age = "1s"
guest_users = ["workshop-*"]
[spawner]
cmd = ["mock-singleuser"]
`)
	enter := func(name string) (*player, hub.ServerRef) {
		s.forgotten(name)
		p := s.player(name)
		if at := p.tryPassword("word of the day", "/hub/home"); at.url.Path != "/hub/home" {
			t.Fatalf("%s is at %s\n%s", name, at.url, s.Journal(s.ctx, "jupyterhub-pam@*"))
		}
		ref := hub.ServerRef{User: name}
		s.start(ref)
		return p, ref
	}
	shut, one := enter("workshop-shut")
	taken, other := enter("workshop-taken")
	stays, _ := enter("workshop-stays")
	if at := s.player("workshop-x").tryPassword("word of yesterday", "/hub/home"); !strings.Contains(at.text, "login-form") {
		t.Errorf("with another word somebody is at %s", at.url)
	}
	s.run("touch", "/etc/jupyterhub/shut-workshop-shut")
	s.showsOut(shut, one)
	s.run("useradd", "--create-home", "workshop-taken")
	s.afterwards("userdel", "--remove", "--force", "workshop-taken")
	s.showsOut(taken, other)
	if at := stays.get("/hub/home"); at.url.Path != "/hub/home" {
		t.Errorf("who may stay is at %s", at.url)
	}
}

// showsOut waits until somebody's browser is logged out and the server is gone, and looks that nobody starts it again.
func (s *stage) showsOut(p *player, ref hub.ServerRef) {
	s.t.Helper()
	s.eventually(ref.User+"'s browser is logged out", func() bool { return p.get("/hub/home").url.Path == "/hub/login" })
	s.eventually(ref.User+"'s unit is gone", func() bool {
		return s.run("sh", "-c", "systemctl is-active '"+hub.UnitName(ref)+"' || true") != "active"
	})
	if _, err := s.hub.StartServer(s.ctx, ref, client.StartRequest{}); err == nil {
		s.t.Errorf("an admin starts the server of %s, who is gone", ref.User)
	}
}

// guestTable makes the table of guests that pam_userdb looks into.
func (s *stage) guestTable(passwords map[string]string) {
	s.t.Helper()
	s.run("rm", "-f", "/etc/jupyterhub/guests.db")
	for name, password := range passwords {
		s.run("sh", "-ec", `umask 077; /usr/bin/python3 - "$1" "$(openssl passwd -6 "$2")" <<'END'
import dbm.ndbm, sys
with dbm.ndbm.open("/etc/jupyterhub/guests", "c", 0o600) as table: table[sys.argv[1].encode()] = sys.argv[2].encode()
END`, "sh", name, password)
	}
}
