package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// A profile has software in an image, which is laid over the machine's /opt for its servers alone. The server of somebody who chooses
// nothing does not see it.
func TestAProfileHasAnExtensionOfItsOwn(t *testing.T) {
	s := onStage(t)
	if out := s.run("sh", "-c", "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237; losetup --find 2>&1 || true"); !strings.HasPrefix(out, "/dev/loop") {
		t.Skipf("images need loop devices: %s", out)
	}
	s.run("sh", "-ec", `for n in $(seq 0 63); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done
mkdir -p /srv/ext/opt/torch /srv/ext/usr/lib/extension-release.d
echo ID=_any >/srv/ext/usr/lib/extension-release.d/extension-release.torch
echo 2.9 >/srv/ext/opt/torch/version
truncate -s 16M /srv/torch.raw && mkfs.ext4 -q -d /srv/ext /srv/torch.raw`)
	s.afterwards("rm", "-r", "/srv/ext", "/srv/torch.raw")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure(`[spawner]
cmd = ["/usr/local/bin/probe-singleuser"]
[[spawner.profile]]
name = "torch"
extension_images = ["/srv/torch.raw"]
`)
	s.forgotten("alice") // the options of a start are those of the next one
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"torch"}`)}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	if told := s.can(alice, "cat /opt/torch/version; id --user --name; echo kept >~/kept; cat ~/kept"); told != "2.9\nalice\nkept" {
		t.Errorf("the server sees\n%s", told)
	}
	s.cannot(alice, "touch /opt/torch/x")
	s.start(bob)
	s.cannot(bob, "ls /opt/torch")
}
