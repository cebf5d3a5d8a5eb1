package descriptor_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"jupyterhubd/hub/descriptor"
)

// wrapped is a connection in a wrapping that says so.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

// hidden is one in a wrapping that does not.
type hidden struct{ net.Conn }

// connect returns the two ends of a Unix socket's connection.
func connect(t *testing.T) (dialed, accepted net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if dialed, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return dialed, accepted
}

func TestTheWayDown(t *testing.T) {
	c, _ := connect(t)
	pipe, _ := net.Pipe()
	fd := descriptor.Of(c.(*net.UnixConn))
	if fd < 3 {
		t.Errorf("the descriptor is %d", fd)
	}
	below := descriptor.Below(wrapped{wrapped{c}})
	if below == nil {
		t.Fatal("nothing is found below two wrappings")
	}
	if err := below.Control(func(found uintptr) {
		if int(found) != fd {
			t.Errorf("below two wrappings is %d, not %d", found, fd)
		}
	}); err != nil {
		t.Error(err)
	}
	for _, none := range []net.Conn{pipe, wrapped{pipe}, hidden{c}} {
		if descriptor.Below(none) != nil {
			t.Errorf("something is found below a %T", none)
		}
	}
	c.Close()
	if fd := descriptor.Of(c.(*net.UnixConn)); fd != -1 {
		t.Errorf("the descriptor of what is closed is %d", fd)
	}
}

func TestPeers(t *testing.T) {
	dialed, accepted := connect(t)
	for name, c := range map[string]net.Conn{"who listens": dialed, "who calls": accepted} {
		if who, ok := descriptor.Peer(c); !ok || int(who.Uid) != os.Getuid() || int(who.Pid) != os.Getpid() {
			t.Errorf("%s is %+v, %t", name, who, ok)
		}
	}
	dialed.Close()
	pipe, _ := net.Pipe()
	for _, c := range []net.Conn{dialed, pipe, hidden{accepted}} {
		if who, ok := descriptor.Peer(c); ok {
			t.Errorf("somebody is at the other end of a %T: %+v", c, who)
		}
	}
}
