package launcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// recordOf is a unit's file as systemd 252 writes it, in short.
const recordOf = `# This is a transient unit file, created programmatically via the systemd API. Do not edit.
[Unit]
Description=Jupyter server of alice

[Service]
Slice=jupyter-user_alice.slice
LogExtraFields=JUPYTERHUB_UNIT=jupyter-alice.service
LogExtraFields=JUPYTERHUB_USER=alice
LogExtraFields=JUPYTERHUB_SERVER=
ExecStart="/usr/bin/x" "User=0"
Environment="A=b" "CPU_GUARANTEE=1.5"
RuntimeMaxSec=1h 30min
MemoryMin=1073741824
User=1000
`

const invocationOfAlice = "e665ee54eaa24364bca9b9c32419ab5c"

// recordsOfAlice are what is recorded of alice's unit in a directory, which stands for a machine.
func recordsOfAlice(t *testing.T) (root string, u sd.UnitStatus) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{transientFiles, unitStates, "cgroup/jupyter.slice/jupyter-user_alice.slice/jupyter-alice.service"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, root, map[string]string{transientFiles + "/jupyter-alice.service": recordOf})
	if err := os.Symlink(invocationOfAlice, filepath.Join(root, unitStates, "invocation:jupyter-alice.service")); err != nil {
		t.Fatal(err)
	}
	return root, sd.UnitStatus{Name: "jupyter-alice.service", LoadState: "loaded", ActiveState: "active"}
}

// about opens the records of a directory and asks about a unit.
func about(root string, u sd.UnitStatus) (seen, error) {
	r, err := openRecords(root, "/jupyter.slice", cgroups{root: filepath.Join(root, "cgroup"), unified: true})
	if err != nil {
		return nil, err
	}
	return r.about(u)
}

func TestRecordsSayWhoseAUnitIs(t *testing.T) {
	root, u := recordsOfAlice(t)
	s, err := about(root, u)
	if err != nil {
		t.Fatal(err)
	}
	ref, ours := s.ours(u.Name)
	if !ours || ref != (hub.ServerRef{User: "alice"}) {
		t.Errorf("taken for %v, %t", ref, ours)
	}
	unit := s.unit(u.Name, ref)
	if unit.UID != 1000 || unit.State != hub.UnitActive || unit.Invocation != invocationOfAlice || unit.Since.IsZero() {
		t.Errorf("the unit is %+v", unit)
	}
	if most := unit.Until.Sub(unit.Since); most.Minutes() != 90 {
		t.Errorf("it runs for %v at most", most)
	}
	if p := s.promise(); p != (promise{"jupyter-user_alice.slice", 1 << 30, 1.5}) {
		t.Errorf("it is promised %+v", p)
	}
	if group := s.text("ControlGroup"); group != "/jupyter.slice/jupyter-user_alice.slice/jupyter-alice.service" {
		t.Errorf("its control group is %s", group)
	}
}

// What the records cannot say, or what somebody else than root could have written, is asked of systemd.
func TestRecordsThatAreNotEnough(t *testing.T) {
	replace := func(old, with string) func(*testing.T, string, *sd.UnitStatus) {
		return func(t *testing.T, root string, _ *sd.UnitStatus) {
			put(t, root, map[string]string{transientFiles + "/jupyter-alice.service": strings.Replace(recordOf, old, with, 1)})
		}
	}
	dropIn := func(name, text string) func(*testing.T, string, *sd.UnitStatus) {
		return func(t *testing.T, root string, _ *sd.UnitStatus) { put(t, root, map[string]string{name: text}) }
	}
	mode := func(name string, mode os.FileMode) func(*testing.T, string, *sd.UnitStatus) {
		return func(t *testing.T, root string, _ *sd.UnitStatus) {
			if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, string, *sd.UnitStatus)
		odd   bool // the records are not what they ought to be
	}{
		"failed":                 {func(_ *testing.T, _ string, u *sd.UnitStatus) { u.ActiveState = "failed" }, false},
		"stopping":               {func(_ *testing.T, _ string, u *sd.UnitStatus) { u.ActiveState = "deactivating" }, false},
		"a job waits":            {func(_ *testing.T, _ string, u *sd.UnitStatus) { u.JobId = 7 }, false},
		"not loaded":             {func(_ *testing.T, _ string, u *sd.UnitStatus) { u.LoadState = "masked" }, false},
		"a guest":                {replace("User=1000", "DynamicUser=yes\nUser=guest-1"), false},
		"a user by name":         {replace("User=1000", "User=alice"), false},
		"no user":                {replace("User=1000\n", ""), true},
		"two users":              {replace("User=1000", "User=1000\nUser=0"), true},
		"somebody's slice":       {replace("Slice=jupyter-user_alice.slice", "Slice=system.slice"), false},
		"a way out of the slice": {replace("Slice=jupyter-user_alice.slice", "Slice=jupyter-/../../x.slice"), false},
		"another control group":  {replace("Slice=jupyter-user_alice.slice", "Slice=jupyter-user_bob.slice"), true},
		"a continued line":       {replace(`"User=0"`, "\\\n"), true},
		"marks in quotes":        {replace("JUPYTERHUB_USER=alice", `"JUPYTERHUB_USER=alice"`), true},
		"specifiers":             {replace("JUPYTERHUB_USER=alice", "JUPYTERHUB_USER=%u"), true},
		"words":                  {replace("JUPYTERHUB_USER=alice", "JUPYTERHUB_USER=alice JUPYTERHUB_USER=bob"), true},
		"no section":             {replace("[Service]", ""), true},
		"promised twice":         {replace(`"A=b"`, `"CPU_GUARANTEE=9"`), true},
		"half a promise":         {replace("MemoryMin=1073741824", "MemoryMin=10%"), true},
		"an unknown span":        {replace("1h 30min", "1y"), false},
		"no last line":           {replace("User=1000\n", "User=1000"), true},
		"drop-in of root's":      {dropIn("etc/systemd/system/jupyter-.service.d/x.conf", "[Service]\nUser=bob\n"), false},
		"drop-in of hers":        {dropIn("run/systemd/system.control/jupyter-alice.service.d/x.conf", "[Service]\nSlice = x.slice\n"), false},
		"drop-in of everybody's": {dropIn("usr/lib/systemd/system/service.d/x.conf", "[Service]\nEnvironment=\n"), false},
		"drop-in, continued":     {dropIn("etc/systemd/system/jupyter-.service.d/x.conf", "[Service]\nLogExtraFields=\\\nA=b\n"), false},
		"no file": {func(t *testing.T, root string, _ *sd.UnitStatus) {
			if err := os.Remove(filepath.Join(root, transientFiles, "jupyter-alice.service")); err != nil {
				t.Fatal(err)
			}
		}, true},
		"a link for a file": {func(t *testing.T, root string, _ *sd.UnitStatus) {
			file := filepath.Join(root, transientFiles, "jupyter-alice.service")
			if err := errors.Join(os.Rename(file, file+".x"), os.Symlink(file+".x", file)); err != nil {
				t.Fatal(err)
			}
		}, true},
		"no invocation": {func(t *testing.T, root string, _ *sd.UnitStatus) {
			if err := os.Remove(filepath.Join(root, unitStates, "invocation:jupyter-alice.service")); err != nil {
				t.Fatal(err)
			}
		}, true},
		"a file that others write":      {mode(transientFiles+"/jupyter-alice.service", 0o666), true},
		"a directory that others write": {mode(transientFiles, 0o777), true},
		"links that others write":       {mode(unitStates, 0o775), true},
	} {
		t.Run(name, func(t *testing.T) {
			root, u := recordsOfAlice(t)
			c.spoil(t, root, &u)
			s, err := about(root, u)
			if err == nil || errors.Is(err, errAsk) == c.odd {
				t.Errorf("said %v, %v", s, err)
			}
		})
	}
}

// Drop-ins about anything else change nothing of what is read.
func TestRecordsBesideDropIns(t *testing.T) {
	for name, text := range map[string]string{
		"etc/systemd/system/jupyter-.service.d/x.conf":                 "[Service]\nEnvironment=http_proxy=http://p\nNice=5\n",
		"run/systemd/system.control/jupyter-alice.service.d/50-M.conf": "[Service]\nMemoryMax=1\n",
		"etc/systemd/system/jupyter-bob.service.d/x.conf":              "[Service]\nUser=root\n",
		"etc/systemd/system/jupyter-alice.service.d/x.txt":             "[Service]\nUser=root\n",
	} {
		root, u := recordsOfAlice(t)
		put(t, root, map[string]string{name: text})
		if _, err := about(root, u); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A drop-in of a unit whose name is escaped counts as any other: jo-ann's unit is jupyter-jo\x2dann.service.
func TestDropInsOfEscapedNamesCount(t *testing.T) {
	root := t.TempDir()
	put(t, root, map[string]string{`jupyter-jo\x2dann.service.d/x.conf`: "[Service]\nUser=bob\n", `jupyter-[a].service.d/x.conf`: "[Service]\nUser=bob\n"})
	r := records{dropIns: map[string]string{}}
	if err := r.survey(root); err != nil || len(r.dropIns) != 2 {
		t.Errorf("found %q, %v", r.dropIns, err)
	}
}

func TestSpansOfTime(t *testing.T) {
	for text, want := range map[string]string{
		"1h 30min": "5400000000", "infinity": "18446744073709551615", "2w 1d": "1296000000000", "1s 500ms": "1500000", "3us": "3",
		"": "", "5": "", "h": "", "1month": "", "1.5s": "", "-1s": "", "0": "", "4294967295w": "",
	} {
		us, err := span(text)
		if got := fmt.Sprint(us); want != "" && (got != want || err != nil) || want == "" && err == nil {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}

// FuzzRecords reads any text as a unit's file. What is believed of it stands there literally, as a line of its own.
func FuzzRecords(f *testing.F) {
	f.Add(recordOf)
	f.Add("[Service]\nUser=1\nSlice=jupyter-a.slice\nLogExtraFields=A\\\n=b\n")
	f.Add("[Service]\nUser=0\nUser=\nEnvironment=\"CPU_GUARANTEE=\"\nRuntimeMaxSec=99999999d\n")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := recordedSettings(text)
		if err != nil {
			return
		}
		for name, values := range settings {
			for _, value := range values {
				if !recorded[name] || !strings.Contains("\n"+text, "\n"+name+"="+value+"\n") {
					t.Errorf("%s=%q does not stand in %q", name, value, text)
				}
			}
		}
		s := seen{}
		if s.take(settings) != nil {
			return
		}
		again := seen{}
		if err := again.take(settings); err != nil || !reflect.DeepEqual(s, again) || s.uid() < 0 {
			t.Errorf("%q says %v and then %v", text, s, again)
		}
	})
}
