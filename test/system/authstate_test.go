package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub/client"
)

const (
	keysFile   = "/etc/jupyterhub/crypt-keys"
	keysDropIn = "/etc/systemd/system/jupyterhub.service.d/70-crypt-keys.conf"
	pamFile    = "/etc/pam.d/jupyterhub"
)

// keysSealed is what the hub says when the old keys are of no use any more.
const keysSealed = "auth states are sealed with the first key now"

// Vulnerability: what a login hands over, a ticket of another system, is read by whoever reads the database, a backup, the journal or
// the hub's unit; or more leaves the login program than root said.
// Attack: a PAM module sets two variables, root names one, and all these places are searched.
// Verified: without a key the option is refused; with one, the one variable is shown at the API and the other never left; nothing is
// found in the clear, also after the keys are exchanged.
func TestALoginsStateIsSealed(t *testing.T) {
	s := onStage(t)
	s.account("keeper", "battery staple")
	s.run("cc", "-shared", "-fPIC", "-o", "/usr/local/lib/pam_cast.so", "/usr/src/jupyterhub/hub/auth/pam/conv/testdata/pam_cast.c", "-lpam")
	s.afterwards("rm", "/usr/local/lib/pam_cast.so")
	s.put(pamFile+".kept", s.run("cat", pamFile)+"\n", 0o644)
	s.afterwards("mv", pamFile+".kept", pamFile)
	s.put(pamFile, "auth optional /usr/local/lib/pam_cast.so env=KRB5CCNAME=FILE:ticket-of-keeper env=OTHER=stays-with-root\n"+s.run("cat", pamFile)+"\n", 0o644)

	const option = "[authenticator]\nenable_auth_state = true\nauth_state_variables = [\"KRB5CCNAME\"]\n"
	const file = "/etc/jupyterhub/jupyterhub.toml.d/71-auth-state.toml"
	s.put(file, option, 0o644)
	s.afterwards("jupyterhub", "reload")
	s.afterwards("rm", "-f", file)
	if said, err := s.Run(s.ctx, "jupyterhub", "reload"); err == nil || !strings.Contains(err.Error()+said, "enable_auth_state: wants a key") {
		t.Errorf("without a key a reload says %s, %v", said, err)
	}

	s.afterwards("systemctl", "restart", "jupyterhub.service")
	s.afterwards("rm", "-f", file)
	s.dropped(keysDropIn, "[Service]\nLoadCredential=crypt-keys:"+keysFile+"\n")
	first, second := strings.Repeat("0a", 32), strings.Repeat("b1", 32)
	s.sealedWith(first)
	s.player("keeper").tryPassword("battery staple", "/hub/home")
	s.keeps("keeper", `{"pam_environment":{"KRB5CCNAME":"FILE:ticket-of-keeper"}}`)

	since := s.run("date", "+%Y-%m-%d %H:%M:%S")
	s.sealedWith(second, first)
	s.eventually("the hub tells that the keys are exchanged", func() bool {
		return strings.Contains(s.run("journalctl", "--no-pager", "--output=cat", "--since="+since, "--unit=jupyterhub.service"), keysSealed)
	})
	s.sealedWith(second)
	s.keeps("keeper", `{"pam_environment":{"KRB5CCNAME":"FILE:ticket-of-keeper"}}`)

	copied := filepath.Join(t.TempDir(), "backup.db")
	s.backup(s.ctx, copied)
	backup, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	s.run("journalctl", "--sync")
	for place, text := range map[string]string{"backup": string(backup), "database": s.run("cat", "/var/lib/jupyterhub/jupyterhub.db"),
		"journal": s.run("journalctl", "--no-pager", "--output=export"), "unit": s.run("systemctl", "show", "jupyterhub.service")} {
		for _, secret := range []string{"ticket-of-keeper", "stays-with-root", first, second} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the %s", secret, place)
			}
		}
	}
}

// sealedWith restarts the hub with these keys.
func (s *stage) sealedWith(keys ...string) {
	s.t.Helper()
	s.put(keysFile, strings.Join(keys, "\n")+"\n", 0o600)
	s.run("systemctl", "restart", "jupyterhub.service")
}

// keeps asks as root what is kept about a user.
func (s *stage) keeps(user, want string) {
	s.t.Helper()
	var u client.User
	s.eventually("the hub answers", func() (ok bool) {
		var err error
		u, err = s.hub.User(s.ctx, user)
		return err == nil
	})
	if string(u.AuthState.Value) != want {
		s.t.Errorf("of %s is kept %s, want %s", user, u.AuthState.Value, want)
	}
}
