package docs

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// testsOfTheHouse returns the names of every test and fuzz target of the module.
func testsOfTheHouse(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(read(t, path), -1) {
			names[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEveryTestThatIsNamedIsThere keeps the manual from promising what nothing holds.
func TestEveryTestThatIsNamedIsThere(t *testing.T) {
	there := testsOfTheHouse(t)
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	for _, page := range append(glob(t, "*.md"), glob(t, "decisions/*.md")...) {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			if !there[m[1]] {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}

// TestEveryTroubleHasItsAnswer: the troubles are numbered without a gap, and each names a test, or says plainly what is not done.
func TestEveryTroubleHasItsAnswer(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| (\d+) \|.*$`)
	for i, m := range row.FindAllStringSubmatch(read(t, "pains.md"), -1) {
		if m[1] != strconv.Itoa(i+1) {
			t.Fatalf("after trouble %d comes %s", i, m[1])
		}
		if cells := strings.Split(m[0], "|"); len(cells) != 7 || !strings.Contains(cells[5], "`Test") && !strings.Contains(cells[4], "**") {
			t.Errorf("trouble %s has neither a test nor a word that it is not answered: %q", m[1], m[0])
		}
	}
}

// TestEveryRowOfTheBarIsMeasured compares what the bar calls a figure with what benchmarks.md calls it.
func TestEveryRowOfTheBarIsMeasured(t *testing.T) {
	measured := read(t, "benchmarks.md")
	row := regexp.MustCompile(`(?m)^\| ([PH]\d+) \|[^|]*\|([^|]*)\|`)
	rows := row.FindAllStringSubmatch(read(t, "pains.md"), -1)
	if len(rows) != 23 {
		t.Errorf("the bar has %d rows", len(rows))
	}
	for _, m := range rows {
		for figure := range strings.SplitSeq(m[2], "; ") {
			for part := range strings.SplitSeq(figure, ", with ") {
				if part = strings.TrimSpace(part); part != "" && !strings.Contains(part, "`make") && !strings.Contains(measured, part) {
					t.Errorf("%s is measured as %q, which benchmarks.md does not have", m[1], part)
				}
			}
		}
	}
}
