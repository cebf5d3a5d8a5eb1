package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Bob's home is full: the rescue server starts all the same, small, with what it must write elsewhere, and he can delete.
func TestTheRescueServerStartsWhenTheHomeIsFull(t *testing.T) {
	s := onStage(t)
	s.probed("", "bob")
	s.run("sh", "-c", "mount -t tmpfs -o mode=755,size=256k,uid=$(id -u bob) tmpfs /home/bob && head -c 1M /dev/zero >/home/bob/much 2>/dev/null; chown bob /home/bob/much")
	s.afterwards("umount", "--lazy", "/home/bob")
	ready, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{UserOptions: []byte(`{"profile":"rescue"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if !ready {
		s.becomes(bob, hub.Running)
	}
	if max := s.property(hub.UnitName(bob), "MemoryMax"); max != "536870912" {
		t.Errorf("it may use %s bytes", max)
	}
	s.can(bob, `mkdir -p "$JUPYTER_RUNTIME_DIR" && echo yes >"$JUPYTER_RUNTIME_DIR/x"`)
	s.cannot(bob, "echo more >/home/bob/more")
	s.can(bob, "rm /home/bob/much && echo more >/home/bob/more")
	if env := s.can(bob, "echo $JUPYTERHUB_DISABLE_USER_CONFIG"); env != "1" && !strings.EqualFold(env, "true") {
		t.Errorf("his configuration is looked at: %q", env)
	}
	if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(bob, hub.Stopped)
	s.start(bob)
	if max := s.property(hub.UnitName(bob), "MemoryMax"); max == "536870912" {
		t.Error("the next start is a rescue again")
	}
}
