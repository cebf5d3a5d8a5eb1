package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestEveryOptionOfJupyterHubIsAnswered goes through the options of the real JupyterHub, as test/compat reads them out of it: each has a
// row here, or is refused with a sentence that says why.
func TestEveryOptionOfJupyterHubIsAnswered(t *testing.T) {
	b, err := os.ReadFile("testdata/jupyterhub-6.1.1.json")
	if err != nil {
		t.Fatal(err)
	}
	var traits map[string][]string
	if err := json.Unmarshal(b, &traits); err != nil {
		t.Fatal(err)
	}
	for table, keys := range traits {
		if len(keys) < 5 {
			t.Errorf("[%s] has %d options: the list is not whole", table, len(keys))
		}
		for _, key := range keys {
			_, err := Load(etc(t, map[string]string{MainFile: "[" + table + "]\n" + key + " = {}\n"}))
			if err != nil && strings.Contains(err.Error(), "is no key of") {
				t.Errorf("nothing answers for %s.%s: %v", table, key, err)
			}
		}
	}
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
