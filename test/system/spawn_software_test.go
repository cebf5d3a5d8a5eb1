package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// A profile has a tree of its own in the place of the machine's, and something laid over its /opt. Its programs come from there; the
// home, the socket, the identity and the limits are those of any other server, and so is the sandbox.
func TestAProfileHasATreeOfItsOwn(t *testing.T) {
	s := onStage(t)
	s.run("sh", "-ec", `mkdir -p /srv/tree/usr /srv/tree/etc /srv/tree/opt/lab
for d in bin sbin lib lib64; do ln -s usr/$d /srv/tree/$d; done
mount --bind /usr /srv/tree/usr
echo of the tree >/srv/tree/etc/whose
mkdir -p /srv/torch/opt/torch /srv/torch/usr/lib/extension-release.d
echo ID=_any >/srv/torch/usr/lib/extension-release.d/extension-release.torch
echo 2.9 >/srv/torch/opt/torch/version`)
	s.afterwards("sh", "-c", "umount /srv/tree/usr && rm -r /srv/tree /srv/torch")
	s.put("/srv/tree/opt/lab/probe-singleuser", probe, 0o755)
	s.configure(`[[spawner.profile]]
name = "tree"
cmd = ["probe-singleuser"]
search_path = ["/opt/lab", "/usr/bin", "/bin"]
root_directory = "/srv/tree"
extension_directories = ["/srv/torch"]
mem_limit = "300M"
[spawner.profile.sandbox]
ProtectSystem = "strict"
`)
	s.forgotten("alice") // the options of a start are those of the next one
	if findings := s.run("sh", "-c", "jupyterhub check-config || true"); strings.Contains(findings, "tree") {
		t.Errorf("a check finds\n%s", findings)
	}
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"tree"}`)}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	uid := s.run("id", "--user", "alice")
	told := s.can(alice, "cat /etc/whose /opt/torch/version; id --user --name; id --user; pwd; echo $JUPYTERHUB_USER; echo kept >~/kept; cat ~/kept; touch /tmp/x /var/tmp/x && echo tmp")
	if want := strings.Join([]string{"of the tree", "2.9", "alice", uid, "/home/alice", "alice", "kept", "tmp"}, "\n"); told != want {
		t.Errorf("the server sees\n%s\nwant\n%s", told, want)
	}
	for _, attempt := range []string{"cat /etc/shadow", "ls /srv/tree", "ls /home/bob", "touch /etc/x", "touch /usr/x", "touch /opt/x", "ls /run/jupyterhub/",
		"cat /etc/jupyterhub/jupyterhub.toml"} {
		s.cannot(alice, attempt)
	}
	if got := s.property(hub.UnitName(alice), "MemoryMax"); got != "314572800" {
		t.Errorf("MemoryMax is %s", got)
	}
	if out := s.run("jupyterhub", "explain", "alice", "--profile", "tree"); !strings.Contains(out, "RootDirectory") || !strings.Contains(out, "extension_directories") {
		t.Errorf("nothing is explained:\n%s", out)
	}

	// Whoever can change the tree runs programs as every user.
	s.run("chmod", "o+w", "/srv/tree/opt/lab")
	s.clear(s.ctx)
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"tree"}`)}); err == nil {
		t.Error("a server starts from a tree that everybody can change")
	}
	s.run("chmod", "o-w", "/srv/tree/opt/lab")
}

// A profile has an environment of Python's own, as venv and conda make them: the server runs from it, and what people start in a
// terminal comes from it first.
func TestAProfileHasAnEnvironmentOfItsOwn(t *testing.T) {
	s := onStage(t)
	s.run("python3", "-m", "venv", "--without-pip", "/opt/envs/course")
	s.afterwards("rm", "-r", "/opt/envs")
	s.put("/opt/envs/course/bin/jupyterhub-singleuser", strings.Replace(probe, "/usr/bin/python3", "/opt/envs/course/bin/python3", 1), 0o755)
	s.configure(`[[spawner.profile]]
name = "course"
cmd = ["/opt/envs/course/bin/jupyterhub-singleuser"]
environment = { CONDA_PREFIX = "/opt/envs/course" }
`)
	s.forgotten("alice")
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"course"}`)}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	told := s.can(alice, `python3 -c 'import sys; print(sys.prefix)'; echo $CONDA_PREFIX; tr "\0" "\n" </proc/$PPID/cmdline | head -1`)
	if told != "/opt/envs/course\n/opt/envs/course\n/opt/envs/course/bin/python3" {
		t.Errorf("it runs from\n%s", told)
	}
}

// A profile has a whole system in an image, which is mounted for the unit alone.
func TestAProfileHasAnImageOfItsOwn(t *testing.T) {
	s := onStage(t)
	if out := s.run("sh", "-c", "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237; losetup --find 2>&1 || true"); !strings.HasPrefix(out, "/dev/loop") {
		t.Skipf("images need loop devices: %s", out)
	}
	s.run("sh", "-ec", `for n in $(seq 0 63); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done
mkdir -p /srv/img/usr/lib /srv/img/etc /srv/img/opt/lab /srv/img/home /srv/img/run /srv/img/tmp /srv/img/var/tmp /srv/img/proc /srv/img/sys /srv/img/dev
echo ID=_any >/srv/img/usr/lib/os-release
for d in bin sbin lib lib64; do ln -s usr/$d /srv/img/$d; done
for f in passwd group hosts localtime resolv.conf; do :>/srv/img/etc/$f; done
echo of the image >/srv/img/etc/whose`)
	s.put("/srv/img/opt/lab/probe-singleuser", probe, 0o755)
	s.run("sh", "-c", "truncate -s 16M /srv/lab.raw && mkfs.ext4 -q -d /srv/img /srv/lab.raw")
	s.afterwards("rm", "-r", "/srv/img", "/srv/lab.raw")
	s.configure(`[spawner.user.alice]
cmd = ["/opt/lab/probe-singleuser"]
root_image = "/srv/lab.raw"
unit_extra_properties = { BindReadOnlyPaths = ["/usr"] }
`)
	s.start(alice)
	if told := s.can(alice, "cat /etc/whose; id --user --name; echo kept >~/kept; cat ~/kept"); told != "of the image\nalice\nkept" {
		t.Errorf("the server sees\n%s", told)
	}
	s.cannot(alice, "cat /etc/shadow /etc/jupyterhub/jupyterhub.toml")
}
