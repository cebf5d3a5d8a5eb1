package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEveryOptionOfJupyterHubIsAnswered goes through the options of the real JupyterHub, as test/compat reads them out of it: each has a
// row here, or is refused with a sentence that says why. The sentences are kept, so that none changes unread.
func TestEveryOptionOfJupyterHubIsAnswered(t *testing.T) {
	b, err := os.ReadFile("testdata/jupyterhub-6.1.1.json")
	if err != nil {
		t.Fatal(err)
	}
	var traits map[string][]string
	if err := json.Unmarshal(b, &traits); err != nil {
		t.Fatal(err)
	}
	var answers strings.Builder
	for _, table := range slices.Sorted(maps.Keys(traits)) {
		if len(traits[table]) < 5 {
			t.Errorf("[%s] has %d options: the list is not whole", table, len(traits[table]))
		}
		for _, key := range traits[table] {
			answer := answerTo(t, table, key)
			if strings.Contains(answer, "is no key of") {
				t.Errorf("nothing answers for %s.%s: %s", table, key, answer)
			}
			fmt.Fprintf(&answers, "%s.%s: %s\n", table, key, answer)
		}
	}
	const golden = "testdata/jupyterhub-6.1.1.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(answers.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != answers.String() {
		t.Errorf("%s (%v) has other answers; is each of these true? Then -update writes them:\n%s", golden, err, answers.String())
	}
}

// answerTo is what whoever writes an option of JupyterHub's into a table hears: that it is an option here too, or why it is not.
func answerTo(t *testing.T, table, key string) string {
	t.Helper()
	header := "[" + table + "]"
	for _, s := range sections() {
		if s.Name == table && slices.ContainsFunc(s.Options, func(o Option) bool { return o.Key == key }) {
			return "an option"
		}
	}
	if table == "hub.services" {
		header = "[[hub.services]]\nname = \"wiki\""
	}
	_, err := Load(etc(t, map[string]string{MainFile: header + "\n" + key + " = {}\n"}))
	if err == nil {
		return "a table"
	}
	_, answer, _ := strings.Cut(err.Error(), key+": ")
	return answer
}

// What is an option is not refused.
func TestNothingIsBothAnOptionAndRefused(t *testing.T) {
	for _, s := range sections() {
		for _, o := range s.Options {
			_, here := refused[o.Key]
			if _, own := refused[s.Name+"."+o.Key]; own || here && !s.below() {
				t.Errorf("%s.%s is an option, and refused", s.Name, o.Key)
			}
		}
	}
}
