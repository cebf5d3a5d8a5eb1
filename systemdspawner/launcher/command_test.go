package launcher

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// program writes an executable file with the given mode.
func program(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// rootDir makes a directory below one that is root's alone; /tmp would not do.
func rootDir(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: only root can make directories that are root's alone")
	}
	dir, err := os.MkdirTemp("/opt", "launcher-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheCommandIsFoundInTheFirstSafeDirectory(t *testing.T) {
	dir := rootDir(t)
	open := filepath.Join(dir, "open")
	program(t, filepath.Join(open, "jupyterhub-singleuser"), "", 0o755)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	want := program(t, filepath.Join(dir, "safe", "jupyterhub-singleuser"), "", 0o755)
	got, err := tree("").find("jupyterhub-singleuser", []string{dir + "/absent", open, dir + "/safe"})
	if err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err = tree("").find(want, nil); err != nil || got != want {
		t.Errorf("by its path: got %q, %v", got, err)
	}
}

func TestACommandThatIsNotThereIsSaidWithTheRemedy(t *testing.T) {
	_, err := tree("").find("jupyterhub-singleuser", []string{"/nonexistent/bin"})
	if hub.KindOf(err) != hub.NotFound || !strings.Contains(err.Error(), "search_path (/nonexistent/bin): install it there") {
		t.Errorf("got %v", err)
	}
	if _, err = tree("").find("bin/x", nil); hub.KindOf(err) != hub.Invalid {
		t.Errorf("a relative path: %v", err)
	}
}

// Vulnerability: bob's server runs a program that alice can replace.
// Attack: alice owns, or can write, the program, a directory on the way, the target of a link, or a script's interpreter.
// Verified: each is refused in a sentence that names the place.
func TestAProgramThatSomebodyElseCouldReplaceIsRefused(t *testing.T) {
	dir := rootDir(t)
	alices := func(path string) string {
		if err := os.Chown(path, 1000, 1000); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(from, to string) string {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
		return from
	}
	inHers := program(t, dir+"/hers/bin/inner", "", 0o755)
	alices(dir + "/hers")
	hers := alices(program(t, dir+"/owned", "", 0o755))
	writable := program(t, dir+"/group", "", 0o775)
	for name, c := range map[string]struct{ path, offender string }{
		"her program":             {hers, hers},
		"her directory":           {inHers, dir + "/hers belongs to uid 1000"},
		"her group's":             {writable, "chmod g-w " + writable},
		"everybody's":             {program(t, dir+"/all", "", 0o757), "changed by everybody"},
		"a link to hers":          {link(dir+"/link", inHers), dir + "/hers belongs"},
		"a relative link":         {link(dir+"/relative", "hers/../owned"), dir + "/hers belongs"},
		"an interpreter of hers":  {program(t, dir+"/script", "#! "+hers+" -E\n", 0o755), "is run by " + hers},
		"a relative interpreter":  {program(t, dir+"/script2", "#!python3\n", 0o755), "no absolute path"},
		"a link without end":      {link(dir+"/loop", dir+"/loop"), "symbolic links"},
		"nothing that can be run": {program(t, dir+"/plain", "", 0o644), "chmod a+rx"},
		"a directory":             {dir, "is no program"},
	} {
		if _, err := tree("").find(c.path, nil); err == nil || !strings.Contains(err.Error(), c.offender) {
			t.Errorf("%s: %v; it should say %q", name, err, c.offender)
		}
	}
}

func TestAnOrdinaryScriptIsAccepted(t *testing.T) {
	dir := rootDir(t)
	interpreter := program(t, dir+"/python3.11", "\x7fELF", 0o755)
	if err := os.Symlink("python3.11", dir+"/python3"); err != nil {
		t.Fatal(err)
	}
	script := program(t, dir+"/jupyterhub-singleuser", "#!"+dir+"/python3 -sP\nprint()\n", 0o755)
	if err := checkProgram(script); err != nil {
		t.Errorf("%s with %s: %v", script, interpreter, err)
	}
}

// A tree of its own is looked at from inside: its links lead to files of its own, and what is not root's alone on the way to it counts.
func TestCommandsInATree(t *testing.T) {
	root := rootDir(t)
	inside := program(t, root+"/tree/opt/lab/bin/python3", "binary", 0o755)
	if err := os.Symlink("/opt/lab/bin/python3", root+"/tree/opt/lab/bin/python"); err != nil {
		t.Fatal(err)
	}
	program(t, root+"/tree/opt/lab/bin/lab", "#!/opt/lab/bin/python\n", 0o755)
	s := Software{RootDirectory: root + "/tree"}
	for name, want := range map[string]string{"lab": "/opt/lab/bin/lab", "/opt/lab/bin/python": "/opt/lab/bin/python", "sh": "", "/bin/sh": ""} {
		if got, err := s.find(name, []string{"/bin", "/opt/lab/bin"}); got != want && want != "" || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	for _, open := range []string{inside, root + "/tree"} {
		info, err := os.Stat(open)
		if err == nil {
			err = os.Chmod(open, info.Mode()|0o002)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.find("lab", []string{"/opt/lab/bin"}); hub.KindOf(err) != hub.Forbidden || !strings.Contains(err.Error(), open) {
			t.Errorf("everybody can change %s: %v", open, err)
		}
		if err := os.Chmod(open, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

// What an image holds is not looked at; whoever can change the image can change what runs.
func TestCommandsInAnImage(t *testing.T) {
	root := rootDir(t)
	image := program(t, root+"/lab.raw", "image", 0o644)
	for _, s := range []Software{{RootImage: image}, {ExtensionImages: []string{image}}, {ExtensionDirectories: []string{root}}} {
		if got, err := s.find("/opt/lab/bin/lab", nil); err != nil || got != "/opt/lab/bin/lab" {
			t.Errorf("%+v: %q, %v", s, got, err)
		}
		if _, err := s.find("lab-that-nobody-has", []string{"/opt/lab/bin"}); hub.KindOf(err) != hub.Invalid && hub.KindOf(err) != hub.NotFound {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if got, err := (Software{ExtensionImages: []string{image}}).find("sh", []string{"/usr/bin"}); err != nil || got != "/usr/bin/sh" {
		t.Errorf("of the machine's own: %q, %v", got, err)
	}
	if err := os.Chmod(image, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Software{{RootImage: image}, {ExtensionImages: []string{image}}, {RootDirectory: root + "/none"}} {
		if _, err := s.find("/opt/lab/bin/lab", nil); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
