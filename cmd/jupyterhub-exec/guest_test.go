package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A guest's server begins when the directory is its own, however often it was changed before.
func TestAGuestAwaitsItsDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: gives a directory away")
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := awaitOwn(dir); err != nil {
		t.Errorf("of what is its own already: %v", err)
	}
	if err := os.Chown(dir, 1000, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- awaitOwn(dir) }()
	for _, change := range []func() error{
		func() error { return os.Chmod(dir, 0o700) }, func() error { return os.Chown(dir, 1001, 0) }, func() error { return os.Chown(dir, 0, 0) },
	} {
		select {
		case err := <-done:
			t.Fatalf("it does not wait: %v", err)
		default:
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := awaitOwn(filepath.Join(dir, "gone")); err == nil {
		t.Error("it waits for what is not there")
	}
}
