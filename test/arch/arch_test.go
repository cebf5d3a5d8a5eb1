package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "jupyterhubd"

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir                              string
	Imports, TestImports, XTestImports, Deps     []string
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string
}

// house lists every package of the module by its path below it: "hub/auth".
func house(t *testing.T) map[string]pkg {
	t.Helper()
	const fields = "ImportPath,Dir,Imports,TestImports,XTestImports,Deps,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json="+fields, module+"/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // or else the package with cgo has no files
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := make(map[string]pkg)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[ours(p.ImportPath)] = p
	}
}

// ours cuts the module off a path; other paths stay as they are.
func ours(path string) string { return strings.TrimPrefix(path, module+"/") }

func isOurs(path string) bool { return strings.HasPrefix(path, module+"/") }

// testRooms hold tests and what only they use. They play with the product from outside and need no law of their own.
var testRooms = []string{"test/system", "test/browser", "test/compat", "test/bench"}

func inTestRoom(room string) bool {
	return slices.ContainsFunc(testRooms, func(r string) bool { return room == r || strings.HasPrefix(room, r+"/") })
}

func TestImports(t *testing.T) {
	all := house(t)
	known := make(map[string]bool)
	for _, law := range mayImport {
		known[law.room] = true
		p, there := all[law.room]
		if !there {
			t.Errorf("a law names %s, which is gone", law.room)
			continue
		}
		allowed := strings.Fields(law.others)
		for _, other := range allowed {
			if _, there := all[other]; !there {
				t.Errorf("the law of %s names %s, which is gone", law.room, other)
			}
		}
		for _, i := range p.Imports {
			if isOurs(i) && !slices.Contains(allowed, ours(i)) {
				t.Errorf("%s imports %s: %s", law.room, ours(i), law.reason)
			}
		}
	}
	for room := range all {
		if !known[room] && !inTestRoom(room) {
			t.Errorf("no law names %s: enter it in laws_test.go, with its reason", room)
		}
	}
}

func TestLinks(t *testing.T) {
	all := house(t)
	for _, law := range linked {
		p, there := all[law.program]
		if !there {
			t.Errorf("a law names %s, which is gone", law.program)
			continue
		}
		for _, never := range strings.Fields(law.never) {
			full := never
			if _, mine := all[never]; mine {
				full = module + "/" + never
			} else if strings.HasPrefix(never, "hub/") || strings.HasPrefix(never, "systemdspawner") {
				t.Errorf("the law of %s names %s, which is gone", law.program, never)
			}
			if slices.Contains(p.Deps, full) {
				t.Errorf("%s links %s: %s", law.program, never, law.reason)
			}
		}
	}
}

func TestStrangers(t *testing.T) {
	all := house(t)
	for _, law := range onlyIn {
		rooms := strings.Fields(law.rooms)
		for _, room := range rooms {
			if _, there := all[room]; !there {
				t.Errorf("the law of %s names %s, which is gone", law.pkg, room)
			}
		}
		for room, p := range all {
			imports := p.Imports
			if law.tests {
				imports = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
			}
			if slices.Contains(imports, law.pkg) && !slices.Contains(rooms, room) {
				t.Errorf("%s imports %s: %s", room, law.pkg, law.reason)
			}
		}
	}
}
