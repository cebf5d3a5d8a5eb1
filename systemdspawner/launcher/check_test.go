package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mentions reports whether one finding has all the words.
func mentions(findings []string, words ...string) bool {
	return slices.ContainsFunc(findings, func(f string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f, w) })
	})
}

func TestCheckTriesTheProgramOfEveryTable(t *testing.T) {
	dir := rootDir(t)
	good := program(t, filepath.Join(dir, "bin", "lab"), "", 0o755)
	l := withoutSystemd(t, good)
	policy := policyOf(good)
	policy.Programs = append(policy.Programs,
		Program{Table: "spawner.group.students", Command: []string{"no-such-lab"}, SearchPath: []string{dir + "/bin"}},
		Program{Table: "spawner.user.alice", Command: []string{"lab", "--debug"}, SearchPath: []string{dir + "/bin"}},
		Program{Table: "spawner.user.bob", Command: []string{"lab"}, SearchPath: []string{dir + "/nowhere"}},
		Program{Table: "spawner.profile.gpu"})
	l.policy.Store(policy)
	findings := l.check(policy)
	for _, words := range [][]string{
		{"spawner.group.students.cmd: servers cannot start", "no-such-lab", "install it there"},
		{"spawner.user.bob.cmd: servers cannot start", dir + "/nowhere"},
		{"spawner.profile.gpu.cmd is empty"},
	} {
		if !mentions(findings, words...) {
			t.Errorf("%q lacks %q", findings, words)
		}
	}
	if mentions(findings, "spawner.cmd") || mentions(findings, "spawner.user.alice") {
		t.Errorf("what is good is found: %q", findings)
	}
}

// An admin edits the file, asks whether all is well, and reloads: what is checked is what is going to be.
func TestCheckLooksAtTheFileAsItIsNow(t *testing.T) {
	l := withoutSystemd(t, "/usr/bin/true")
	l.o.Load = func(*Policy) (*Policy, []string, error) { return policyOf("no-such-program"), nil, nil }
	if findings := l.Check(); !mentions(findings, "spawner.cmd", "no-such-program") {
		t.Errorf("an edited file: %q", findings)
	}
	l.o.Load = func(*Policy) (*Policy, []string, error) { return nil, nil, errors.New("jupyterhub.toml:3: no") }
	if findings := l.Check(); mentions(findings, "spawner.cmd") || mentions(findings, "toml") {
		t.Errorf("a file with mistakes, while what is in force is good: %q", findings)
	}
}

// Vulnerability: a directory that alice can write stands before the right one in search_path. Servers do not run what is in
// it, and nobody hears of it.
func TestCheckNamesAnUnsafeDirectoryThatIsPassedOver(t *testing.T) {
	dir := rootDir(t)
	open := filepath.Join(dir, "open")
	program(t, filepath.Join(open, "lab"), "", 0o755)
	program(t, filepath.Join(dir, "safe", "lab"), "", 0o755)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	p := Program{Table: "spawner", Command: []string{"lab"}, SearchPath: []string{open, dir + "/safe"}}
	if findings := p.check(); len(findings) != 1 || !mentions(findings, "spawner.cmd", "passed over", "chmod") {
		t.Errorf("found %q", findings)
	}
	p.SearchPath = []string{open, dir + "/absent"}
	if findings := p.check(); !mentions(findings, "servers cannot start", "is in none") || !mentions(findings, "servers cannot start", "chmod") {
		t.Errorf("with nothing else: found %q", findings)
	}
}

func TestCheckNamesLimitsWithoutAController(t *testing.T) {
	v1, v2 := t.TempDir(), t.TempDir()
	for path, content := range map[string]string{
		filepath.Join(v1, "cpu", "cgroup.procs"):  "",
		filepath.Join(v1, "pids", "cgroup.procs"): "",
		filepath.Join(v2, "cgroup.controllers"):   "cpuset cpu io pids\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := withoutSystemd(t, "/usr/bin/true")
	for name, c := range map[string]struct {
		groups cgroups
		want   []string
	}{
		"v1 without memory": {cgroups{root: v1}, []string{"mem_limit"}},
		"v2 without memory": {cgroups{root: v2, unified: true}, []string{"mem_limit"}},
		"nothing mounted":   {cgroups{root: t.TempDir()}, []string{"mem_limit", "cpu_limit", "tasks_max"}},
	} {
		l.cgroups = c.groups
		findings := l.Check()
		for _, option := range []string{"mem_limit", "cpu_limit", "tasks_max"} {
			if got := mentions(findings, option+" limits nothing here", "cgroup_disable="); got != slices.Contains(c.want, option) {
				t.Errorf("%s: %s in %q: %v", name, option, findings, got)
			}
		}
	}
}

// log remembers what was reported.
type log struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (g *log) report(doing, _ string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, doing+": "+err.Error())
}

func TestWhatIsMissingIsLoggedAtFirstAndAfterAReload(t *testing.T) {
	var g log
	l := withoutSystemd(t, "no-such-program")
	l.o.Report = g.report
	if err := l.reportAtFirst(t.Context()); err != nil || !mentions(g.lines, "check the machine", "no-such-program") {
		t.Errorf("at first: %q, %v", g.lines, err)
	}
	l.o.Load = func(*Policy) (*Policy, []string, error) { return policyOf("no-other-program"), nil, nil }
	if _, err := l.Reload(); err != nil || !mentions(g.lines, "check the machine", "no-other-program") {
		t.Errorf("after a reload: %q, %v", g.lines, err)
	}
}
