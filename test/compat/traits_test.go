package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The list of JupyterHub's options that the configuration answers for is the real one's.
func TestListOfJupyterHubsOptions(t *testing.T) {
	python := filepath.Join(filepath.Dir(needs(t, "singleuser-6.1.1", "jupyterhub")), "python")
	got, err := exec.CommandContext(t.Context(), python, "testdata/traits.py").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../hub/config/testdata/jupyterhub-6.1.1.json")
	if err != nil || string(want) != string(got) {
		t.Errorf("hub/config/testdata/jupyterhub-6.1.1.json is not what testdata/traits.py prints (%v)", err)
	}
}
