package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The sizes at which a file or a function has become two.
const (
	longestFile     = 400
	longestFunction = 60
)

// source is one parsed file.
type source struct {
	room string
	path string // below the module: hub/auth/actor.go
	file *ast.File
	test bool
}

func parse(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set := token.NewFileSet()
	var files []source
	for room, p := range house(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Error(err)
				continue
			}
			files = append(files, source{room, filepath.Join(room, name), f, strings.HasSuffix(name, "_test.go")})
		}
	}
	return set, files
}

// Every package has one plate at its door, in doc.go.
func TestPlates(t *testing.T) {
	_, files := parse(t)
	plates := make(map[string]int)
	for _, s := range files {
		plates[s.room] += 0
		if s.file.Doc == nil {
			continue
		}
		if filepath.Base(s.path) != "doc.go" {
			t.Errorf("%s has a package comment: the plate is in doc.go", s.path)
			continue
		}
		plates[s.room]++
		words := strings.ToLower(strings.Join(strings.Fields(s.file.Doc.Text()), " "))
		for _, part := range []string{"own", "way in", "way out", "caveat"} {
			if !strings.Contains(words, part) {
				t.Errorf("%s does not say %q", s.path, part)
			}
		}
	}
	for room, n := range plates {
		if n != 1 {
			t.Errorf("%s has %d plates", room, n)
		}
	}
}

func TestNothingHasGrownTooLong(t *testing.T) {
	set, files := parse(t)
	for _, s := range files {
		if n := set.File(s.file.Pos()).LineCount(); n > longestFile {
			t.Errorf("%s has %d lines", s.path, n)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.test {
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line; n > longestFunction {
				t.Errorf("%s: %s has %d lines", s.path, f.Name.Name, n)
			}
		}
	}
}

// beginsContexts are the places where a context may begin: mains, and what is a main to tests.
var beginsContexts = []string{"cmd/internal/daemon", "test/testbed"}

func TestNothingHappensBehindOnesBack(t *testing.T) {
	set, files := parse(t)
	bubbles := playsWithTime(files)
	for _, s := range files {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: an init function runs before anybody asked", s.path)
			}
		}
		mayBegin := s.file.Name.Name == "main" || slices.Contains(beginsContexts, s.room)
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := set.Position(call.Pos())
			where := s.path + ":" + strconv.Itoa(at.Line)
			switch name := callee(call); {
			case (name == "context.Background" || name == "context.TODO") && !mayBegin:
				t.Errorf("%s: %s: a context comes from whoever asked; in tests it is t.Context()", where, name)
			case name == "time.Sleep" && s.test && !bubbles[s.room]:
				t.Errorf("%s: a test waits for an event, or runs in testing/synctest", where)
			case (strings.HasSuffix(name, ".Skip") || strings.HasSuffix(name, ".SkipNow")) && s.test && len(call.Args) == 0:
				t.Errorf("%s: a test that is left out says why", where)
			}
			return true
		})
	}
}

// playsWithTime tells the rooms whose tests run in bubbles of testing/synctest, where sleeping takes no time.
func playsWithTime(files []source) map[string]bool {
	rooms := make(map[string]bool)
	for _, s := range files {
		for _, i := range s.file.Imports {
			if i.Path.Value == `"testing/synctest"` {
				rooms[s.room] = true
			}
		}
	}
	return rooms
}

// callee spells a called function as in the source: "time.Sleep".
func callee(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

// Words that say nothing about what is inside.
func TestRoomsHaveNames(t *testing.T) {
	for room := range house(t) {
		for _, word := range []string{"common", "helper", "helpers", "internal", "misc", "pkg", "types", "util", "utils"} {
			if slices.Contains(strings.Split(room, "/"), word) && !strings.HasPrefix(room, "cmd/internal/") {
				t.Errorf("%s: %q names no room", room, word)
			}
		}
	}
}
