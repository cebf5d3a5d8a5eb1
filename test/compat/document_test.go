package compat

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of differences into docs/compatibility.md")

const document = "../../docs/compatibility.md"

// heading begins the part of the document that is this table.
const heading = "## Differences that conversations show\n"

// The table of differences and the document say the same.
func TestDifferencesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), heading)
	if !ok {
		t.Fatalf("%s has no part %q", document, heading)
	}
	was, after, _ := strings.Cut(rest, "\n## ")
	if want := rows(); was != want {
		if !*update {
			t.Fatalf("%s says otherwise than allowed_test.go: go test ./test/compat -run TestDifferencesAreDocumented -update", document)
		}
		if err := os.WriteFile(document, []byte(before+heading+want+"\n## "+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// rows is the part of the document.
func rows() string {
	var b strings.Builder
	b.WriteString(`
The same requests are sent to JupyterHub 6.1.1 and to this hub ([test/compat/testdata/talks](../test/compat/testdata/talks)): every
endpoint, as nobody, as another user, with a token for little, as a service, as the owner and as an admin, with bodies that are
good, missing, malformed and too large. Statuses, headers and JSON are compared. All that differs:

| Request | JupyterHub | Here | Why |
|---|---|---|---|
`)
	list := func(all []allowance) {
		for _, a := range all {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", a.request, a.upstream, a.ours, a.why)
		}
	}
	list(allowed)
	b.WriteString("\nAnd with a host for each user and each service (`subdomain_host`), besides:\n\n| Request | JupyterHub | Here | Why |\n|---|---|---|---|\n")
	list(allowedAtHosts)
	b.WriteString("\nAnd on the whole way, through configurable-http-proxy there and our proxy here, to servers that run:\n\n| Request | JupyterHub | Here | Why |\n|---|---|---|---|\n")
	list(allowedOnTheWay)
	return b.String()
}

// Each row says something, and names what it allows in a way that can be read by machine.
func TestAllowancesAreWhole(t *testing.T) {
	said := map[string]bool{}
	for _, a := range slices.Concat(allowed, allowedAtHosts, allowedOnTheWay) {
		if a.request == "" || a.upstream == "" || a.ours == "" || a.why == "" || len(a.seen) == 0 || said[a.request] {
			t.Errorf("not whole, or twice: %+v", a)
		}
		said[a.request] = true
		for _, seen := range a.seen {
			if _, err := regexp.Compile(seen); err != nil {
				t.Error(err)
			}
		}
	}
}
