package system

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Where the slice of all servers is full, whoever comes waits until there is room, and is told why.
func TestWhoComesToAFullSliceWaits(t *testing.T) {
	s := onStage(t)
	if !s.HasControllers() {
		t.Skip("this machine has no memory controller")
	}
	s.mocked("bob")
	s.run("systemctl", "set-property", "--runtime", hub.TopSlice, "MemoryMax=200M")
	s.afterwards("systemctl", "revert", hub.TopSlice)
	s.mustWait(bob)
	s.hears(bob, "The machine is short of memory just now")
	s.run("systemctl", "set-property", "--runtime", hub.TopSlice, "MemoryMax=80%")
	s.becomes(bob, hub.Running)
	if status := s.answers("/user/bob/api"); status != http.StatusOK {
		t.Errorf("bob's server answers %d", status)
	}
}

// When work waits for a processor most of the time, as the kernel tells (PSI), whoever comes waits, and is told why.
func TestWhoComesToABusyMachineWaits(t *testing.T) {
	s := onStage(t)
	if _, err := s.Run(s.ctx, "cat", "/proc/pressure/cpu"); err != nil {
		t.Skip("this kernel has no PSI")
	}
	s.mocked("alice")
	s.put("/etc/jupyterhub/jupyterhub.toml.d/71-pressure.toml", "[hub]\nspawn_cpu_pressure = 10\n", 0o644)
	s.run("jupyterhub", "reload")
	indifferent := []string{"sh", "-c", "rm -f /etc/jupyterhub/jupyterhub.toml.d/71-pressure.toml && jupyterhub reload"}
	s.afterwards(indifferent[0], indifferent[1:]...)
	s.run("systemd-run", "--unit=busy", "sh", "-c", "for i in $(seq 32); do while :; do :; done & done; wait")
	s.afterwards("sh", "-c", "! systemctl --quiet is-active busy || systemctl stop busy")
	s.eventually("the processors are busy", func() bool {
		left, err := s.rootside().Headroom(s.ctx)
		return err == nil && left.CPUPressure > 20
	})
	s.mustWait(alice)
	s.hears(alice, "The machine's processors are busy just now")
	s.run("systemctl", "stop", "busy")
	s.run(indifferent[0], indifferent[1:]...) // other machines of this host may be busy, too
	s.becomes(alice, hub.Running)
}

// mustWait asks for a server, which has to be put in the line. A look at the machine is good for a second: whoever comes within
// one of an earlier look starts.
func (s *stage) mustWait(ref hub.ServerRef) {
	s.t.Helper()
	s.eventually(ref.String()+" has to wait", func() bool {
		if _, err := s.hub.StartServer(s.ctx, ref, client.StartRequest{}); err != nil {
			s.t.Fatal(err)
		}
		if s.state(ref) == hub.Queued {
			return true
		}
		if _, err := s.hub.StopServer(s.ctx, ref, false); err != nil {
			s.t.Fatal(err)
		}
		s.becomes(ref, hub.Stopped)
		return false
	})
}

// hears waits until whoever watches a server's start is told something.
func (s *stage) hears(ref hub.ServerRef, sentence string) {
	s.t.Helper()
	ctx, done := context.WithTimeout(s.ctx, patience)
	defer done()
	heard := errors.New("heard")
	err := s.hub.Progress(ctx, ref, func(e hub.Event) error {
		if strings.Contains(e.Message, sentence) {
			return heard
		}
		return nil
	})
	if !errors.Is(err, heard) {
		s.t.Errorf("who watches %s is not told %q: %v", ref, sentence, err)
	}
}
