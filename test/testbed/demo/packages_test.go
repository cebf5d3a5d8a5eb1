package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Before anything is installed on the host, `make demo` says what, and for what; what is there already is left alone.
func TestHostPackagesAreNamedBeforeTheyAreInstalled(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{
		"dpkg-query": "[ \"$4\" != here ] || printf installed\n",
		"apt-get":    "echo \"apt-get $*\" >>\"$(dirname \"$0\")/asked\"\n",
		"id":         "echo 0\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "../../../packaging/host-packages", "to play", "here", "gone", "lost")
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
	said, err := cmd.Output()
	if want := "Installing packages on this host, to play: gone lost\n"; err != nil || string(said) != want {
		t.Errorf("said %q, want %q: %v", said, want, err)
	}
	if asked, err := os.ReadFile(filepath.Join(bin, "asked")); err != nil || string(asked) != "apt-get install -y -q --no-install-recommends gone lost\n" {
		t.Errorf("asked %q, %v", asked, err)
	}
}
