package system

import (
	"strings"
	"testing"
)

// The tabs of a stopped server ask on. The hub is not needed to tell them, and is not asked: here it is away.
func TestStoppedServersAreToldWithoutTheHub(t *testing.T) {
	s := onStage(t)
	s.run("systemctl", "stop", "jupyterhub-hub.socket", "jupyterhub.service")
	s.afterwards("systemctl", "start", "jupyterhub-hub.socket", "jupyterhub.service")
	if got := s.visit("/user/alice/api/kernels"); !strings.HasPrefix(got, "424 ") || !strings.Contains(got, "no longer running at /user/alice/api/kernels") || !strings.Contains(got, "/hub/spawn/alice") {
		t.Errorf("a program is told %s", got)
	}
	if got := s.visit("/user/alice/lab"); !strings.HasPrefix(got, "503 ") || !strings.Contains(got, "JupyterHub is away") { // where it was sent
		t.Errorf("a person is told %s", got)
	}
}

// Bounds hold from a reload on. Whoever asks Alice's server too often is held back and then refused; Bob's is not hers.
func TestBoundsHoldFromAReload(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice", "bob")
	s.start(alice)
	s.start(bob)
	s.configure("[proxy]\nrequest_rate_per_server = 1\n")
	const storm = `for i in $(seq 20); do curl --silent --output /dev/null --write-out '%{http_code} ' http://127.0.0.1:8000/user/alice/x & done; wait`
	got := s.run("sh", "-c", storm)
	if strings.Count(got, "200") < 2 || strings.Count(got, "503") < 1 || len(strings.Fields(got)) != 20 {
		t.Errorf("twenty at once are told %s", got)
	}
	if got := s.visit("/user/bob/x"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("bob's server is reached with %s", got)
	}
}
