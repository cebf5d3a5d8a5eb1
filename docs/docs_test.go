package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("%s finds nothing (%v)", pattern, err)
	}
	return list
}

// programs are the directories of cmd that make one.
func programs(t *testing.T) []string {
	return slices.DeleteFunc(glob(t, "../cmd/*"), func(dir string) bool { return filepath.Base(dir) == "internal" })
}

func TestEveryProgramHasAManPage(t *testing.T) {
	for _, dir := range programs(t) {
		name := filepath.Base(dir)
		pages := glob(t, "man/"+name+".[18]")
		text := read(t, pages[0])
		for _, part := range []string{".SH NAME\n" + strings.ReplaceAll(name, "-", `\-`) + ` \- `, ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXIT STATUS", ".SH SEE ALSO"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", pages[0], part)
			}
		}
	}
}

// flagPattern finds flags where mains declare them with package flag.
var flagPattern = regexp.MustCompile(`\b(?:fs|o)\.(?:Bool|String|Int|Duration|Func|BoolFunc|BoolVar|StringVar|IntVar|DurationVar|span|flag|count)\((?:fs, )?(?:&[\w.]+, )?"([a-z-]+)"`)

func TestEveryFlagIsInItsManPage(t *testing.T) {
	common := read(t, "../cmd/internal/daemon/daemon.go")
	for _, dir := range programs(t) {
		name := filepath.Base(dir)
		if name == "jupyterhub" || name == "jupyterhub-exec" { // the one's page is made from its flags, the other has its own parser
			continue
		}
		source := common
		for _, file := range glob(t, dir+"/*.go") {
			if !strings.HasSuffix(file, "_test.go") {
				source += read(t, file)
			}
		}
		page := read(t, "man/"+name+".8")
		for _, m := range flagPattern.FindAllStringSubmatch(source, -1) {
			if flag := `\-\-` + strings.ReplaceAll(m[1], "-", `\-`); !strings.Contains(page, flag) {
				t.Errorf("man/%s.8 does not know %s", name, flag)
			}
		}
	}
}

func TestEveryManPageThatIsNamedIsThere(t *testing.T) {
	named := regexp.MustCompile(`man:(jupyterhub[a-z.-]*)\((\d)\)`)
	for _, unit := range glob(t, "../units/jupyter*.*") {
		for _, m := range named.FindAllStringSubmatch(read(t, unit), -1) {
			if _, err := os.Stat("man/" + m[1] + "." + m[2]); err != nil {
				t.Errorf("%s names %s(%s), which is not there", unit, m[1], m[2])
			}
		}
	}
	also := regexp.MustCompile(`(?m)^\.BR (jupyterhub[a-z.\\-]*) \((\d)\)`)
	for _, page := range glob(t, "man/*.[158]") {
		for _, m := range also.FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat("man/" + strings.ReplaceAll(m[1], `\-`, "-") + "." + m[2]); err != nil {
				t.Errorf("%s names %s(%s), which is not there", page, m[1], m[2])
			}
		}
	}
}

func TestEveryDoorIsInTheArchitecture(t *testing.T) {
	architecture := read(t, "architecture.md")
	where := regexp.MustCompile(`(?m)^ListenStream=(.+)$`)
	for _, unit := range glob(t, "../units/*.socket") {
		for _, m := range where.FindAllStringSubmatch(read(t, unit), -1) {
			if !regexp.MustCompile("`" + regexp.QuoteMeta(filepath.Base(unit)) + "` \\| `?" + regexp.QuoteMeta(m[1])).MatchString(architecture) {
				t.Errorf("architecture.md has no row for %s at %s", filepath.Base(unit), m[1])
			}
		}
	}
}

// TestEveryHoleHasItsReason holds security.md to the capabilities and writable paths of the units.
func TestEveryHoleHasItsReason(t *testing.T) {
	security := read(t, "security.md")
	for _, unit := range glob(t, "../units/*.service") {
		chapter := regexp.MustCompile(`(?s)\n### [^\n]*\b` + regexp.QuoteMeta(filepath.Base(unit)) + `.*?(\n##|$)`).FindString(security)
		if chapter == "" {
			t.Errorf("security.md has no chapter on %s", filepath.Base(unit))
		}
		for line := range strings.Lines(read(t, unit)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if key != "CapabilityBoundingSet" && key != "ReadWritePaths" {
				continue
			}
			for hole := range strings.FieldsSeq(value) {
				if !strings.Contains(chapter, hole) {
					t.Errorf("security.md gives no reason for %s=%s in %s", key, hole, filepath.Base(unit))
				}
			}
		}
	}
}

func TestEveryDirectDependencyHasItsReason(t *testing.T) {
	page := read(t, "dependencies.md")
	direct, _, _ := strings.Cut(read(t, "../go.mod"), "\n)")
	for line := range strings.Lines(direct) {
		if module := strings.Fields(line); len(module) == 2 && strings.Contains(module[0], ".") && !strings.Contains(page, "`"+module[0]+"`") {
			t.Errorf("dependencies.md does not say why %s", module[0])
		}
	}
}

func TestEveryDecisionHasItsThreeParts(t *testing.T) {
	index := read(t, "decisions/README.md")
	for _, page := range glob(t, "decisions/*.md") {
		name := filepath.Base(page)
		if name == "README.md" {
			continue
		}
		text := read(t, page)
		for _, part := range []string{"\n## Why there is a question\n", "\n## What we do\n", "\n## What follows\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", page, strings.TrimSpace(part))
			}
		}
		if !strings.Contains(index, "("+name+")") {
			t.Errorf("decisions/README.md does not lead to %s", name)
		}
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			to := filepath.Join(filepath.Dir(path), m[1])
			if found, _ := filepath.Glob(to); len(found) == 0 && !exists(to) {
				t.Errorf("%s leads to %s, which is not there", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestPathsThatAreNamedAreThere keeps the table of the tree honest.
func TestPathsThatAreNamedAreThere(t *testing.T) {
	_, tree, _ := strings.Cut(read(t, "architecture.md"), "## The tree")
	for line := range strings.Lines(tree) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		paths, _, _ := strings.Cut(line[1:], "|")
		for path := range strings.SplitSeq(paths, ",") {
			if path = strings.Trim(path, " `"); !exists("../" + path) {
				t.Errorf("architecture.md names %s, which is not there", path)
			}
		}
	}
}

// TestEveryRoomIsInTheTree is the other direction: whoever opens a folder of the product finds it in the table.
func TestEveryRoomIsInTheTree(t *testing.T) {
	_, tree, _ := strings.Cut(read(t, "architecture.md"), "## The tree")
	for _, pattern := range []string{"../*/doc.go", "../hub/*/doc.go", "../proxy/*/doc.go", "../systemdspawner/*/doc.go"} {
		for _, plate := range glob(t, pattern) {
			if room := strings.TrimPrefix(filepath.Dir(plate), "../"); room != "docs" && !strings.Contains(tree, "`"+room+"`") && !strings.Contains(tree, "`"+room+"/`") {
				t.Errorf("architecture.md does not say what %s is", room)
			}
		}
	}
}
