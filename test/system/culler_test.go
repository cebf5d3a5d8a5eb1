package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

const culler = "jupyterhub-idle-culler.service"

// The timer starts the service, which has the token that it fetches as a credential and no other: a server that nobody has
// touched for longer than the timeout goes, one whose user works stays, and the journal has one line about it.
func TestTheIdleGoAndTheBusyStay(t *testing.T) {
	s := onStage(t)
	s.mocked("alice", "bob")
	const timeout = 4 * time.Second
	const impatience = "/etc/jupyterhub/jupyterhub.toml.d/71-culler.toml"
	s.put(impatience, fmt.Sprintf("[culler]\ntimeout = %q\n", timeout), 0o644)
	s.afterwards("rm", "-f", impatience)
	s.start(alice)
	s.start(bob)
	s.works("bob", timeout/8)
	s.eventually("alice was idle for long enough", func() bool {
		server, err := s.hub.Server(s.ctx, alice)
		return err == nil && time.Since(server.LastActivity.Time) > timeout+time.Second
	})

	pass := s.nextPass()
	s.becomes(alice, hub.Stopped)
	if got := s.state(bob); got != hub.Running {
		t.Errorf("bob's busy server is %q", got)
	}
	s.run("journalctl", "--sync")
	said := s.run("journalctl", "--no-pager", "--output=cat", "_SYSTEMD_INVOCATION_ID="+pass)
	if strings.Contains(said, "\n") || !strings.Contains(said, "looked at 2 servers of 2 users: stopped 1") {
		t.Errorf("its report is not one line of the journal:\n%s", said)
	}
}

// works tells the hub again and again that somebody is at work, as a single-user server does, until the play ends.
func (s *stage) works(user string, every time.Duration) {
	s.t.Helper()
	tell := func(ctx context.Context) error {
		now := client.Time{Time: time.Now()}
		return s.hub.Activity(ctx, user, client.Activity{Servers: map[string]client.ServerActivity{"": {LastActivity: now}}})
	}
	if err := tell(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(s.ctx)
	done := make(chan struct{})
	s.t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		again := time.NewTicker(every)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				if err := tell(ctx); err != nil && ctx.Err() == nil {
					s.t.Errorf("%s works: %v", user, err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
}

// nextPass lets the timer elapse at once, waits until the pass that it starts is over, and returns the pass's invocation.
func (s *stage) nextPass() (invocation string) {
	s.t.Helper()
	s.afterwards("systemctl", "restart", "jupyterhub-idle-culler.timer")
	s.dropped("/etc/systemd/system/jupyterhub-idle-culler.timer.d/50-play.conf", "[Timer]\nOnActiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=1h\nAccuracySec=100ms\n")
	before := s.property(culler, "InvocationID")
	s.run("systemctl", "restart", "jupyterhub-idle-culler.timer")
	ctx, done := context.WithTimeout(s.ctx, patience)
	defer done()
	_, err := s.AwaitProperty(ctx, culler, "InvocationID", func(v any) bool {
		invocation = fmt.Sprintf("%x", v)
		return invocation != before && invocation != ""
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if state, err := s.AwaitUnit(ctx, culler, "inactive", "failed"); err != nil || state != "inactive" {
		s.t.Errorf("after its pass the culler is %s, %v", state, err)
	}
	return invocation
}

// dropped puts a drop-in of systemd's in its place until the play ends.
func (s *stage) dropped(file, content string) {
	s.t.Helper()
	s.put(file, content, 0o644)
	s.afterwards("systemctl", "daemon-reload")
	s.afterwards("rm", "-f", file)
	s.run("systemctl", "daemon-reload")
}

// The culler is a service among others. Its token shows when who was active, stops servers, and does nothing else.
func TestTheCullerIsAServiceWithANarrowRole(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	services, err := s.hub.Services(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	it, there := services["idle-culler"]
	if !there || it.Admin.Value || !slices.Equal(it.Roles.Value, []string{"idle-culler"}) {
		t.Errorf("the service is %+v, %v", it, there)
	}

	token := s.cullersToken()
	status, body := s.asks("GET", "/user", token)
	var self client.ServiceIdentity
	if err := json.Unmarshal([]byte(body), &self); err != nil || status != http.StatusOK || self.Name != "idle-culler" {
		t.Errorf("who it is: %d, %v\n%s", status, err, body)
	}
	// What the role names and what that contains, no word more.
	want := []string{"delete:servers", "list:users", "read:servers", "read:users:activity", "read:users:name"}
	if slices.Sort(self.Scopes); !slices.Equal(self.Scopes, want) {
		t.Errorf("its token may %q, want %q", self.Scopes, want)
	}
	if status, body := s.asks("GET", "/users?state=ready", token); status != http.StatusOK || !strings.Contains(body, `"bob"`) {
		t.Errorf("the list of users is answered with %d:\n%s", status, body)
	}
	for _, ask := range [][2]string{
		{"POST", "/users"}, {"POST", "/users/eve"}, {"DELETE", "/users/bob"}, {"PATCH", "/users/bob"}, {"POST", "/users/bob/server"},
		{"POST", "/users/bob/activity"}, {"GET", "/users/bob/tokens"}, {"POST", "/users/bob/tokens"}, {"GET", "/groups"}, {"GET", "/services"},
		{"GET", "/proxy"}, {"POST", "/shutdown"},
	} {
		if status, body := s.asks(ask[0], ask[1], token); status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("%s %s is answered with %d:\n%s", ask[0], ask[1], status, body)
		}
	}
}

// cullersToken returns what the culler's unit gets from the hub; for once it runs a program that prints it, for root alone.
func (s *stage) cullersToken() string {
	s.t.Helper()
	const kept = "/run/play-culler"
	s.run("install", "--directory", "--mode=0700", kept)
	s.afterwards("rm", "-r", kept)
	s.dropped("/etc/systemd/system/"+culler+".d/50-play.conf",
		"[Service]\nExecStart=\nExecStart=cat %d/token\nStandardOutput=truncate:"+kept+"/token\nStandardError=journal\n")
	s.run("systemctl", "start", culler)
	return strings.TrimSpace(s.run("cat", kept+"/token"))
}

// asks asks the token API on the machine itself.
func (s *stage) asks(method, path, token string) (status int, body string) {
	s.t.Helper()
	out := s.run("curl", "--silent", "--show-error", "--max-time", "20", "--request", method, "--write-out", "\n%{http_code}",
		"--header", "Authorization: token "+token, "http://127.0.0.1:8081/hub/api"+path)
	end := strings.LastIndex(out, "\n")
	if _, err := fmt.Sscan(out[end+1:], &status); err != nil {
		s.t.Fatalf("curl says %q", out)
	}
	return status, out[:max(end, 0)]
}
