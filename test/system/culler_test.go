package system

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

const (
	culler     = "jupyterhub-idle-culler.service"
	impatience = "/etc/jupyterhub/jupyterhub.toml.d/71-culler.toml"
)

// The timer's service, with the token that it fetches as a credential and no other: an idle server goes, a busy one stays, and
// the journal has a line about it.
func TestTheIdleGoAndTheBusyStay(t *testing.T) {
	s := onStage(t)
	s.mocked("alice", "bob")
	s.put(impatience, "[culler]\ntimeout = \"1s\"\n", 0o644)
	t.Cleanup(func() {
		if _, err := s.Run(context.WithoutCancel(s.ctx), "rm", "-f", impatience); err != nil {
			t.Error(err)
		}
	})
	s.start(alice)
	s.start(bob)
	busy := time.Now().Add(30 * time.Minute)
	if err := s.hub.Activity(s.ctx, "bob", client.Activity{Servers: map[string]client.ServerActivity{"": {LastActivity: client.Time{Time: busy}}}}); err != nil {
		t.Fatal(err)
	}
	s.eventually("alice was idle for a second", func() bool {
		server, err := s.hub.Server(s.ctx, alice)
		return err == nil && time.Since(server.LastActivity.Time) > time.Second
	})

	s.run("systemctl", "start", culler)
	s.becomes(alice, hub.Stopped)
	if got := s.state(bob); got != hub.Running {
		t.Errorf("bob's busy server is %q", got)
	}
	if said := s.Journal(s.ctx, culler); !strings.Contains(said, "looked at 2 servers of 2 users: stopped 1") {
		t.Errorf("its report is not a line of the journal:\n%s", said)
	}
}

// The culler is a service among others, and may do no more than its role says.
func TestTheCullerIsAServiceWithANarrowRole(t *testing.T) {
	s := onStage(t)
	services, err := s.hub.Services(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	it, there := services["idle-culler"]
	if !there || it.Admin.Value || !slices.Equal(it.Roles.Value, []string{"idle-culler"}) {
		t.Errorf("the service is %+v, %v", it, there)
	}
}
