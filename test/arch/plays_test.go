package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// played finds the tests that the table in docs/security.md names.
var played = regexp.MustCompile("`(Test\\w+)`")

// Every play that docs/security.md names against a class of vulnerabilities is there, and says what the vulnerability is, what is attacked and
// what is verified: whoever changes the code has to know what must not come back.
func TestEveryClassOfVulnerabilityIsPlayed(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Vulnerabilities, and the plays against them\n")
	table, _, ended := strings.Cut(table, "\n## ")
	if !found || !ended {
		t.Fatal("docs/security.md has no chapter of vulnerabilities and plays")
	}
	says := comments(t)
	classes := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "-") || cells[1] == " Class " {
			continue
		}
		classes++
		names := played.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("nothing plays %s", cells[1])
		}
		for _, name := range names {
			comment, there := says[name[1]]
			if !there {
				t.Errorf("%s, which is to play %s, is nowhere", name[1], cells[1])
				continue
			}
			for _, word := range []string{"vulnerability", "attack", "verified"} {
				if !strings.Contains(strings.ToLower(strings.ReplaceAll(comment, "Play (", "Vulnerability (")), word) {
					t.Errorf("%s does not say: %s", name[1], word)
				}
			}
		}
	}
	if classes < 10 {
		t.Errorf("the table names %d classes", classes)
	}
}

// comments returns what stands above each test, by its name.
func comments(t *testing.T) map[string]string {
	t.Helper()
	_, files := parse(t)
	says := map[string]string{}
	for _, s := range files {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				says[f.Name.Name] += f.Doc.Text()
			}
		}
	}
	return says
}
