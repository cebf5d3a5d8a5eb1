package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// A profile's servers run in a container, as the example among the package's has it: by podman, without root and without a registry, in a
// sandbox that is open for just that. The image has a Python and a shell of the machine's, and a file of its own.
func TestAProfileIsAContainer(t *testing.T) {
	s := onStage(t)
	s.needsPodman()
	s.put("/srv/img/opt/lab/probe-singleuser", probe, 0o755)
	s.run("sh", "-ec", image)
	s.run("sh", "-ec", saveImage)
	s.afterwards("sh", "-c", forgetImages)
	example := s.run("cat", "/usr/share/doc/jupyterhub/examples/container.toml")
	s.configure(strings.Replace(example, `"jupyterhub-singleuser", "--allow-root"`, `"/opt/lab/probe-singleuser"`, 1) +
		"\n[spawner.user.alice]\nmem_limit = \"256M\"\n")

	s.forgotten("alice") // the options of a start are those of the next one
	for range 2 {        // the second one finds the image unpacked
		if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"container"}`)}); err != nil {
			t.Fatal(err)
		}
		s.becomes(alice, hub.Running)
		if told := s.can(alice, "cat /etc/whose; id --user; pwd; echo $JUPYTERHUB_USER; echo kept >~/kept"); told != "of the image\n0\n/home/alice\nalice" {
			t.Errorf("the server sees\n%s", told)
		}
		if owner := s.run("stat", "--format=%U", "/home/alice/kept"); owner != "alice" {
			t.Errorf("what the container wrote is %s's", owner)
		}
		if told := s.can(alice, `/usr/bin/python3 -c 'import json, os, urllib.request as u
print(json.load(u.urlopen(u.Request(os.environ["JUPYTERHUB_API_URL"] + "/user", headers={"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]})))["name"])'`); told != "alice" {
			t.Errorf("the hub takes the server for %s's", told)
		}
		for _, attempt := range []string{"cat /etc/shadow", "ls /home/bob", "ls /run/jupyterhub", "ls /etc/jupyterhub", "chown 1 ~/kept", "echo 1 >/proc/sys/kernel/printk"} {
			s.cannot(alice, attempt)
		}
		if place := s.can(alice, "cat /proc/self/cgroup"); !strings.Contains(place, hub.UnitName(alice)) {
			t.Errorf("the container is in\n%s", place)
		}
		if out, ok := s.tries(alice, `/usr/bin/python3 -c 'b = bytearray(400 << 20)'`); ok {
			t.Errorf("a process of 400 MiB lives in a unit of 256: %s", out)
		}
		if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
			t.Fatal(err)
		}
		s.becomes(alice, hub.Stopped)
		if left := s.run("sh", "-c", "pgrep --list-full --uid alice || true"); left != "" {
			t.Errorf("after the stop there is still\n%s", left)
		}
		if left := s.run("cat", "/home/alice/.local/share/containers/storage/vfs-containers/containers.json"); left != "[]" {
			t.Errorf("after the stop podman still has %s", left)
		}
	}
}

// needsPodman installs podman, or skips the play where it cannot work.
func (s *stage) needsPodman() {
	s.t.Helper()
	if out, err := s.Run(s.ctx, "setpriv", "--reuid=alice", "--regid=alice", "--clear-groups", "unshare", "--user", "--map-root-user", "--mount", "true"); err != nil {
		s.t.Skipf("the kernel of this machine gives users no namespaces: %v %s", err, out)
	}
	if s.Unified() {
		s.t.Skip("podman was seen at work in a unit with control groups of version 1 alone")
	}
	if err := s.InstallPackages(s.ctx, "libassuan0", "libgpgme11", "libsubid4", "libyajl2", "conmon", "crun", "netavark", "golang-github-containers-image",
		"golang-github-containers-common", "podman"); err != nil {
		s.t.Fatal(err)
	}
	// This machine's disk is a layer already, and its host may be out of keys for alice's uid.
	s.put("/etc/containers/storage.conf", "[storage]\ndriver = \"vfs\"\nrunroot = \"/run/containers/storage\"\ngraphroot = \"/var/lib/containers/storage\"\n", 0o644)
	s.put("/etc/containers/containers.conf", "[containers]\nkeyring = false\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n", 0o644)
}

// saveImage makes an archive of /srv/img.tar, and forgetImages takes away what was left on the way.
const (
	saveImage    = "podman import --quiet /srv/img.tar localhost/lab && podman save --quiet --format oci-archive --output /srv/lab.oci localhost/lab && chmod 644 /srv/lab.oci"
	forgetImages = "rm -rf /srv/img /srv/img.tar /srv/lab.oci /var/lib/containers /home/alice/.local /etc/containers/storage.conf /etc/containers/containers.conf"
)

// image makes a tree with what the server runs, and files that a container wants to be there.
const image = `cd /srv/img
mkdir -p etc tmp run home proc sys dev usr/bin usr/lib
for d in bin sbin lib lib64; do mkdir -p usr/$d; ln -sfn usr/$d $d; done
echo of the image >etc/whose
stdlib=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
programs="/usr/bin/python3 /bin/bash /bin/sh /usr/bin/env /bin/cat /bin/ls /bin/chown /usr/bin/id"
libraries=$(ldd $programs $stdlib/lib-dynload/*.so | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*\) .*/\1/p' | sort -u)
tar --create --dereference --absolute-names $programs $libraries | tar --extract --directory=/srv/img --keep-directory-symlink --transform='s|^/||' --absolute-names
tar --create --absolute-names --exclude=__pycache__ --exclude='test*' --exclude='config-*' --exclude=idlelib $stdlib | tar --extract --directory=/srv/img --keep-directory-symlink --transform='s|^/||' --absolute-names
tar --create --file=/srv/img.tar .`
