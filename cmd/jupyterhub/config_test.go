package main

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

func TestCheckConfigTellsEveryMistakeAndAsksNobody(t *testing.T) {
	m := newMachine(t, "[spawner]\nmem_limt = '2G'\ncpu_limit = '2'\n")
	compare(t, m.run("check-config"), `
DIR/jupyterhub.toml:2: spawner.mem_limt: is no key of [spawner]; did you mean mem_limit?
DIR/jupyterhub.toml:3: spawner.cpu_limit: is the string "2"; it wants a number such as 2.0, without quotes
[1]
`)
	compare(t, m.run("show-config"), `
jupyterhub: error: DIR/jupyterhub.toml:2: spawner.mem_limt: is no key of [spawner]; did you mean mem_limit?
jupyterhub: error: DIR/jupyterhub.toml:3: spawner.cpu_limit: is the string "2"; it wants a number such as 2.0, without quotes
[1]
`)
}

func TestCheckConfigTellsWhatIsMissingOnTheMachine(t *testing.T) {
	m := newMachine(t, "[proxy]\ntls_certificate='/nowhere/cert.pem'\ntls_key='/nowhere/key.pem'\n")
	m.app.service = func(name string) error {
		return hub.Errorf(hub.Unavailable, "the PAM service file DIR/pam.d/%s is missing", name)
	}
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Check": says(map[string]any{"findings": []string{"there is no jupyterhub-singleuser: pip install jupyterhub"}}),
		"CheckConfiguration": refuses(hub.Errorf(hub.Invalid,
			"DIR/jupyterhub.toml:9: spawner.sandbox.PrivatTmp: is no property that can be set; did you mean PrivateTmp?")),
	})
	compare(t, m.run("check-config"), `
the PAM service file DIR/pam.d/jupyterhub is missing
nobody may log in: set allow_all, allowed_users, allowed_groups or guest_users in [authenticator]
the certificate cannot be used: open /nowhere/cert.pem: no such file or directory
there is no jupyterhub-singleuser: pip install jupyterhub
DIR/jupyterhub.toml:9: spawner.sandbox.PrivatTmp: is no property that can be set; did you mean PrivateTmp?
[1]
`)
}

func TestCheckConfigTellsThatGuestsCannotLogIn(t *testing.T) {
	m := newMachine(t, "[authenticator]\nguest_users = [\"guest-*\"]\nblocked_users = [\"guest-7\"]\n")
	m.app.guestService = func(name string) error {
		return hub.Errorf(hub.Unavailable, "the PAM service file DIR/pam.d/%s is missing", name)
	}
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Check": says(map[string]any{"findings": []string{}}), "CheckConfiguration": says(struct{}{}),
	})
	compare(t, m.run("check-config"), `
the PAM service file DIR/pam.d/jupyterhub-guests is missing
[1]
`)
}

// A rule that names somebody by another name than the account's own would never be met.
func TestCheckConfigTellsOfNamesThatNoAccountHas(t *testing.T) {
	m := newMachine(t, `
[authenticator]
allowed_users = ["alice", "ALICE", "bobb"]
blocked_users = ["BOB"]
admin_users = ["0", "bob"]
`)
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Check": says(map[string]any{"findings": []string{}}), "CheckConfiguration": says(struct{}{}),
	})
	compare(t, m.run("check-config"), `
allowed_users in [authenticator] names "ALICE", a second name of the account "alice": write "alice", the name that is compared
allowed_users in [authenticator] names "bobb", and getent passwd knows no such account: mend the name, or take it out
blocked_users in [authenticator] names "BOB", a second name of the account "bob": write "bob", the name that is compared
admin_users in [authenticator] names "0", which was not looked up: 0 is no name of an account
[1]
`)
}

func TestCheckConfigOfAMachineInOrder(t *testing.T) {
	m := newMachine(t, "[authenticator]\nallow_all = true\n")
	m.varlink("spawnd.sock", varlink.Spawner, map[string]varlink.Handler{
		"Check": says(map[string]any{"findings": []string{}}), "CheckConfiguration": says(struct{}{}),
	})
	compare(t, m.run("check-config"), `
DIR/jupyterhub.toml and the machine are in order
[0]
`)
	compare(t, m.run("check-config", "--json"), `
{
  "mistakes": [],
  "findings": []
}
[0]
`)
}

func TestCheckConfigSaysWhoWasNotAsked(t *testing.T) {
	m := newMachine(t, "[authenticator]\nallow_all = true\n")
	if got := m.run("check-config"); !strings.Contains(got, "jupyterhub-spawnd was not asked what is missing: systemctl start jupyterhub-spawnd.socket") {
		t.Error(got)
	}
}

func TestShowConfigNamesFileAndLine(t *testing.T) {
	m := newMachine(t, "[spawner]\nmem_limit = '4G'\n")
	m.write("jupyterhub.toml.d/50-site.toml", "[spawner.sandbox]\nPrivateDevices = false\n[spawner.group.gpu]\ndevice_allow = ['/dev/nvidia*']\n")
	compare(t, m.run("show-config", "--set"), `
[spawner]
mem_limit = "4G"                # DIR/jupyterhub.toml:2
sandbox.PrivateDevices = false  # DIR/jupyterhub.toml.d/50-site.toml:2

[spawner.group.gpu]
device_allow = ["/dev/nvidia*"]  # DIR/jupyterhub.toml.d/50-site.toml:4
[0]
`)
	if got := m.run("show-config"); !strings.Contains(got, "base_url = \"/\"") || !strings.Contains(got, "# default") {
		t.Error(got)
	}
	compare(t, m.run("show-config", "--set", "--json"), `
[
  {
    "section": "spawner",
    "key": "mem_limit",
    "value": "4G",
    "file": "DIR/jupyterhub.toml",
    "line": 2
  },
  {
    "section": "spawner",
    "key": "sandbox.PrivateDevices",
    "value": false,
    "file": "DIR/jupyterhub.toml.d/50-site.toml",
    "line": 2
  },
  {
    "section": "spawner.group.gpu",
    "key": "device_allow",
    "value": [
      "/dev/nvidia*"
    ],
    "file": "DIR/jupyterhub.toml.d/50-site.toml",
    "line": 4
  }
]
[0]
`)
}
