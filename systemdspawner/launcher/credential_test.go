package launcher

import "testing"

func TestCredentialMountIsNamedAsSystemdNamesIt(t *testing.T) {
	for unit, want := range map[string]string{
		"jupyter-alice.service":            `run-credentials-jupyter\x2dalice.service.mount`,
		`jupyter-a\x2db-lab.service`:       `run-credentials-jupyter\x2da\x5cx2db\x2dlab.service.mount`,
		`jupyter-bob\x40site_1.service`:    `run-credentials-jupyter\x2dbob\x5cx40site_1.service.mount`,
		`jupyter-long\x7e0123abcd.service`: `run-credentials-jupyter\x2dlong\x5cx7e0123abcd.service.mount`,
	} {
		if got := credentialMount(unit); got != want {
			t.Errorf("%s has %s, want %s", unit, got, want)
		}
	}
}
