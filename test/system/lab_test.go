package system

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// labProfile is what a play has to know of a profile, or of a drop-in for servers, that is shipped as an example.
type labProfile struct {
	before string   // what root does to the machine, as the example wants it
	after  string   // what undoes that
	other  []string // words of the example, each with what stands here in its place
	alone  bool     // it looks at nothing of its user's own
	skip   func(*stage)
}

// labProfiles are all of these, by the profile's name, or the drop-in's file; "" is no profile.
var labProfiles = map[string]labProfile{
	"":                {},
	hub.RescueProfile: {alone: true},
	"course":          {},
	"gpu":             {before: "mknod -m 666 /dev/nvidia0 c 1 5; groupadd --force gpu; usermod --append --groups gpu alice", after: "gpasswd --delete alice gpu; groupdel gpu; rm /dev/nvidia0"},
	"bookworm":        {before: treeOfLab, after: "umount --lazy /srv/tree/usr /srv/tree/opt/envs /srv/tree$CACHE && rm -r /srv/tree", other: []string{`root_image = "/srv/images/bookworm.raw"`, `root_directory = "/srv/tree"`}},
	"torch":           {before: "mkdir -p /srv/torch/opt/torch /srv/torch/usr/lib/extension-release.d; echo ID=_any >/srv/torch/usr/lib/extension-release.d/extension-release.torch", after: "rm -r /srv/torch", other: []string{`extension_images = ["/srv/images/torch.raw"]`, `extension_directories = ["/srv/torch"]`}},
	"container":       {skip: (*stage).needsPodman, before: imageOfLab, after: forgetImages, other: []string{`"oci-archive:`, `"--volume=/usr:/usr:ro", "--volume=/opt/envs:/opt/envs:ro", "--volume=` + cache() + `:` + cache() + `:ro", "oci-archive:`, `"jupyterhub-singleuser"`, `"/opt/envs/course/bin/jupyterhub-singleuser"`}},
	"jupyter-.service.d.conf": {before: "mkdir -p /srv/datasets /etc/systemd/system/jupyter-.service.d && sed 's/^#//' /usr/share/doc/jupyterhub/examples/jupyter-.service.d.conf | grep -v ' ' >/etc/systemd/system/jupyter-.service.d/local.conf; systemctl daemon-reload",
		after: "rm -r /etc/systemd/system/jupyter-.service.d /srv/datasets; systemctl daemon-reload"},
}

// otherExamples are files among the examples that are about no server of a user's.
var otherExamples = map[string]bool{"crypt-keys.conf": true, "growing-restart.conf": true, "jupyterhub-guests": true}

// A tree, and the least image of a container, in which the machine's programs are laid.
const (
	treeOfLab = `mkdir -p /srv/tree/usr /srv/tree/etc /srv/tree/opt/envs /srv/tree$CACHE
for d in bin sbin lib lib64; do ln -s usr/$d /srv/tree/$d; done
ln -s envs/course /srv/tree/opt/jupyterhub
mount --bind /usr /srv/tree/usr; mount --bind /opt/envs /srv/tree/opt/envs; mount --bind $CACHE /srv/tree$CACHE`
	imageOfLab = `mkdir -p /srv/img/etc /srv/img/tmp /srv/img/run /srv/img/home /srv/img/proc /srv/img/sys /srv/img/dev /srv/img/usr /srv/img/opt/envs /srv/img$CACHE
for d in bin sbin lib lib64; do ln -s usr/$d /srv/img/$d; done
tar --create --directory=/srv/img --file=/srv/img.tar .
` + saveImage
)

// cache is where the environments of Python are.
func cache() string { return filepath.Dir(testbed.Environment("x")) }

// course makes /opt/envs/course, an environment like that of an institute: the cast's JupyterLab in a place where each of them may add
// packages of their own (a venv that sees nothing else forbids pip --user).
const course = `python3 -m venv --system-site-packages --without-pip /opt/envs/course && cd /opt/envs/course
for d in "$LAB"/lib/python3*/site-packages; do echo "$d" >$(echo lib/python3*/site-packages)/lab.pth; done
ln -s "$LAB/share" "$LAB/etc" .
printf '#!/opt/envs/course/bin/python3\nfrom jupyterhub.singleuser import main\nmain()\n' >bin/jupyterhub-singleuser && chmod 755 bin/jupyterhub-singleuser`

// wheel is a package of one module, made without a registry.
const wheel = `import zipfile
with zipfile.ZipFile("/home/alice/hello-1-py3-none-any.whl", "w") as z:
    z.writestr("hello.py", "print('hello from', __file__)\n")
    z.writestr("hello-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1\n")
    z.writestr("hello-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: play\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr("hello-1.dist-info/RECORD", "hello.py,,\nhello-1.dist-info/METADATA,,\nhello-1.dist-info/WHEEL,,\nhello-1.dist-info/RECORD,,\n")`

// Every profile that is shipped, as an example or built in, bears the work of a real JupyterLab: a notebook, which installs a package
// with pip --user and draws with matplotlib, and a terminal.
func TestJupyterLabWorksUnderEveryProfile(t *testing.T) {
	examples := shippedProfiles(t)
	for name := range examples {
		if _, played := labProfiles[name]; !played {
			t.Errorf("%s is shipped, and nobody plays it: give it a line in labProfiles", name)
		}
	}
	s := onStage(t)
	s.run("env", "LAB="+filepath.Dir(filepath.Dir(testbed.SingleUser())), "sh", "-ec", course)
	s.run("python3", "-c", wheel)
	s.afterwards("rm", "-r", "/opt/envs", "/home/alice/hello-1-py3-none-any.whl")
	for _, name := range slices.Sorted(maps.Keys(labProfiles)) {
		p := labProfiles[name]
		text, shipped := examples[name]
		if name != "" && name != hub.RescueProfile && !shipped {
			t.Errorf("%s is played, and shipped no more", name)
		}
		t.Run("profile "+name, func(t *testing.T) {
			s := settle(t, s.Bed)
			if p.skip != nil {
				p.skip(s)
			}
			s.afterwards("env", "CACHE="+cache(), "sh", "-c", p.after)
			s.run("env", "CACHE="+cache(), "sh", "-ec", p.before)
			s.configure("[spawner]\ncmd = [\"/opt/envs/course/bin/jupyterhub-singleuser\"]\n" + strings.NewReplacer(p.other...).Replace(text))
			s.afterwards("rm", "-rf", "/home/alice/.local", "/home/alice/.config", "/home/alice/.ipython", "/home/alice/.jupyter", "/home/alice/.cache")
			s.labWorks(name, p)
		})
	}
}

// labWorks starts alice's JupyterLab under a profile, and works in it.
func (s *stage) labWorks(name string, profile labProfile) {
	s.t.Helper()
	s.forgotten("alice") // the options of a start are those of the next one
	var options []byte
	if name != "" && !strings.HasSuffix(name, ".conf") {
		options = fmt.Appendf(nil, `{"profile":%q}`, name)
	}
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: options}); err != nil {
		s.t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	p := s.player("alice")
	p.logIn("/user/alice/lab")
	k := p.kernel()
	if out := k.run("import matplotlib.pyplot as plt\nfrom IPython.display import Image\nplt.plot([1, 2, 4])\nplt.savefig('/tmp/plot.png')\ndisplay(Image('/tmp/plot.png'))"); !strings.Contains(out, "<image/png>") {
		s.t.Errorf("matplotlib draws %q", out)
	}
	const install = "%pip install --user --no-index --disable-pip-version-check /home/alice/hello-1-py3-none-any.whl\n!python3 -c 'import hello'"
	out := k.run(install)
	if own := strings.Contains(out, "hello from /home/alice/.local/lib/"); own == profile.alone || !strings.Contains(out, "Successfully installed hello-1") {
		s.t.Errorf("its user's own package is seen: %t\n%s", own, out)
	}
	s.openTerminal(alice).says("echo $((40 + 2)) in $PWD", "42 in /home/alice")
	if name == "gpu" {
		k.run("open('/dev/nvidia0', 'rb').read(1)")
	}
	if name == "jupyter-.service.d.conf" && s.property(hub.UnitName(alice), "MemoryMax") != "8589934592" {
		s.t.Error("the drop-in does not hold")
	}
}

// shippedProfiles reads the profiles, and the names of drop-ins for users' servers, out of every file that is shipped. In the
// configuration they are commented out.
func shippedProfiles(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	configured, _ := filepath.Glob("../../etc/jupyterhub/*.toml")
	examples, _ := filepath.Glob("../../units/examples/*")
	commented := regexp.MustCompile(`(?m)^#\[\[spawner\.profile\]\]\n(?:#[^ \n].*\n)*`)
	named := regexp.MustCompile(`(?m)^name = "(.*)"$`)
	for _, file := range append(configured, examples...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, name := string(b), filepath.Base(file)
		blocks := commented.FindAllString(text, -1)
		for i, block := range blocks {
			blocks[i] = regexp.MustCompile(`(?m)^#`).ReplaceAllString(block, "")
		}
		if at := strings.Index(text, "\n[[spawner.profile]]\n"); at >= 0 {
			blocks = append(blocks, text[at:])
		}
		for _, block := range blocks {
			m := named.FindStringSubmatch(block)
			if m == nil {
				t.Fatalf("%s has a profile without a name:\n%s", file, block)
			}
			found[m[1]] = block
		}
		if len(blocks) == 0 && !otherExamples[name] {
			found[name] = ""
		}
	}
	return found
}
