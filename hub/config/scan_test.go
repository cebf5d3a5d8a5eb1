package config

import (
	"slices"
	"testing"
)

const everyShape = `# every shape that a key can have
top = 1
dotted.key."with space".'and\quote' = 2 # not "a" = key
"esc\u0061ped\t" = 3
[table]
multi = """
not.a = "key"
[not.a.table]
two quotes at the end"""""
literal = '''
also = 'not a key' '''
list = [ # comment = "none"
  1, "a = b", 'c', [2.0, { inner = 3, "x y".z = [ {deep = true} ] }],
  1979-05-27 07:32:00,
]
inline = { a.b = 1, c = { d = "}" } }
[[array.of]]
name = "one"
[array.of.sub]
x = 1
[[array.of]]
name = "two"
  [[array.of.nested]]
  y = 1
  [[array.of.nested]]
  y = 2
`

func TestScannerKnowsEveryLine(t *testing.T) {
	_, keys, mistake := decode(everyShape)
	if mistake != nil {
		t.Fatal(mistake)
	}
	lines := linesOf(everyShape, keys)
	if lines == nil {
		t.Fatal("scanner and library disagree")
	}
	for at, want := range map[string]int{
		"top":                                  1,
		`dotted.key."with space"."and\\quote"`: 2,
		`"escaped\u0009"`:                      3,
		"table":                                4,
		"table.multi":                          5,
		"table.literal":                        9,
		"table.list":                           11,
		"table.list[3][1].inner":               12,
		`table.list[3][1]."x y".z[0].deep`:     12,
		"table.inline.c.d":                     15,
		"array.of[0].name":                     17,
		"array.of[0].sub.x":                    19,
		"array.of[1].name":                     21,
		"array.of[1].nested[1].y":              25,
	} {
		if lines[at] != want+1 {
			t.Errorf("%s is said to be at line %d, not %d", at, lines[at], want+1)
		}
	}
}

// FuzzScan holds the scanner against the library: on every document that the library takes, both name the same keys. The
// library is looser than TOML in a few places where a wrong line would do no harm; what must never happen is a scanner that
// hangs, panics, or believes itself when it disagrees.
func FuzzScan(f *testing.F) {
	f.Add(everyShape)
	f.Add(Example())
	f.Add("a = [1,\n2,]\r\nb = '''''x'''''\n")
	f.Add("\uFEFFa = 1")
	f.Add("[a]\n[b.'c']\n'' = {}\n")
	f.Add("x = {a = 1,\n# c\nb = 2}\n")
	f.Add("a = \"\"\"\\\"\"\"\"\"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		scanned := scan(text)
		if !slices.IsSortedFunc(scanned, func(a, b found) int { return a.line - b.line }) {
			t.Error("lines go backwards")
		}
		_, keys, mistake := decode(text)
		if mistake != nil {
			return
		}
		if linesOf(text, keys) == nil && len(keys) > 0 {
			t.Errorf("the library sees %q, the scanner %v", keys, scanned)
		}
	})
}
