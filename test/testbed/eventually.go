package testbed

import (
	"testing"
	"time"
)

// Eventually waits until something holds that no event tells of, and fails the test when it does not within the patience.
func Eventually(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	look, late := time.NewTicker(100*time.Millisecond), time.After(patience)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("never true: %s", what)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
