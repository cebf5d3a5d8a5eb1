package compat

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// conversation is something that both proxies are told, under the same options, and what of the answer counts. Its name is what
// docs/compatibility.md calls it where the answers differ. In a silent one the real proxy never answers, so that nobody waits long.
type conversation struct {
	name   string
	with   string // options
	hold   func(*peer) string
	silent bool
}

// The same conversations with the real configurable-http-proxy and with ours: each that goes differently is listed in
// docs/compatibility.md with its reason, and nothing else is.
func TestConversationsWithBothProxies(t *testing.T) {
	t.Parallel()
	real, ours := realCHP(t), ourCHP(t)
	listed := listedDifferences(t)
	held := map[string]bool{}
	groups := byOptions(restConversations(), routingConversations(), forwardingConversations(), endingConversations(), logConversations())
	for with, group := range groups {
		for _, c := range group {
			held[c.name] = true
		}
		t.Run(strings.TrimSpace("with "+with), func(t *testing.T) {
			t.Parallel()
			theirs, mine := startPeer(t, real, strings.Fields(with)...), startPeer(t, ours, strings.Fields(with)...)
			for _, c := range group {
				t.Run(c.name, func(t *testing.T) {
					theirs.t, mine.t, theirs.limit = t, t, answerLimit
					if c.silent {
						theirs.limit = silenceLimit
					}
					want, got := c.hold(theirs), c.hold(mine)
					switch differs := want != got; {
					case differs && !listed[c.name]:
						t.Errorf("they say\n\t%q\nand we\n\t%q\nand docs/compatibility.md does not say why", want, got)
					case !differs && listed[c.name]:
						t.Errorf("both say %q, and docs/compatibility.md says that they differ", got)
					}
				})
			}
		})
	}
	for name := range listed {
		if !held[name] {
			t.Errorf("docs/compatibility.md lists %q, of which there is no conversation", name)
		}
	}
}

func byOptions(tables ...[]conversation) map[string][]conversation {
	groups := map[string][]conversation{}
	for _, table := range tables {
		for _, c := range table {
			groups[c.with] = append(groups[c.with], c)
		}
	}
	return groups
}

// listedDifferences are the names in the first column of the table of conversations.
func listedDifferences(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(page), "\n| Conversation |")
	part, _, _ = strings.Cut(part, "\n\n")
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+?) \| [^|]+ \| [^|]+ \| [^|]+ \|$`).FindAllStringSubmatch(part, -1) {
		listed[row[1]] = true
	}
	if !ok || len(listed) == 0 {
		t.Fatal("docs/compatibility.md has no table of conversations")
	}
	return listed
}
