package system

import (
	"strings"
	"testing"

	"jupyterhubd/test/testbed"
)

// foreign is a program of somebody else's making: PyPI's varlink, which knows of our doors only what they tell it.
const foreign = `
import varlink
with varlink.Client(address="unix:/run/jupyterhub/spawnd.sock") as client:
    print("interfaces", *client.get_interfaces())
    with client.open("org.jupyterhub.Spawner") as door:
        print("boot", len(door.List()["inventory"]["boot_id"]))
        for first in door.Watch(_more=True):
            print("watch", sorted(first["inventory"]))
            break
    with client.open("org.jupyterhub.Spawner") as door:
        try:
            door.Start(user="root", server="")
        except varlink.VarlinkError as error:
            print("refused", error.error(), error.parameters()["kind"])
with varlink.Client(address="unix:/run/jupyterhub/pam.sock") as client:
    with client.open("org.jupyterhub.Authenticator") as door:
        print("asks", door.Begin(user="alice", remote_host="127.0.0.1", tty="test")["step"]["prompts"][0]["echo"])
`

// Anyone may write another side of the locked doors: a foreign Varlink client reads the published interfaces off them and
// calls what it finds there.
func TestAForeignVarlinkClientSpeaksToTheLockedDoors(t *testing.T) {
	bed := testbed.Shared(t)
	out, err := bed.Run(t.Context(), testbed.Environment("varlink-31.0.0")+"/bin/python", "-c", foreign)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"interfaces org.varlink.service org.jupyterhub.Spawner", "boot ", "watch ['boot_id', 'units']",
		"refused org.jupyterhub.Spawner.Refused forbidden", "asks False",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}
