package proxy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"

	"jupyterhubd/hub/descriptor"
)

// Plain WebSockets outlive a restart in what systemd stores: more than fit into one packet, in one bag.
func TestTunnelsOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	var stored []*os.File
	keep := func(files []*os.File) error {
		for _, f := range files {
			fd, err := unix.FcntlInt(uintptr(descriptor.Of(f)), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				return err
			}
			stored = append(stored, os.NewFile(uintptr(fd), "stored"))
		}
		return nil
	}
	s, up := newStage(t, Options{StateFile: file, Keep: keep}), newServer(t, echo)
	s.alice(up.URL)
	var all []*websocket.Conn
	for range tunnelsAPacket + 5 {
		all = append(all, dialPlain(t, s))
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if len(stored) != 1 {
		t.Fatalf("%d descriptors are stored", len(stored))
	}
	again, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	next := &stage{t: t, p: again}
	again.Resume(stored)
	next.serve()
	if n := again.tunnels.count(); n != len(all) {
		t.Errorf("%d of %d WebSockets are back", n, len(all))
	}
	for _, c := range all {
		says(t, c, "still there")
	}
	next.stop()
	if code := closed(t, all[0]); code != serviceRestart {
		t.Errorf("without a store a WebSocket ends with %d", code)
	}
}

// What is in the store may be anything.
func TestAStrangeBagIsThrownAway(t *testing.T) {
	s := newStage(t, Options{})
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		t.Fatal(err)
	}
	if err := packet([]parked{{route: "/nobody", client: descriptor.Of(null), server: descriptor.Of(null), state: []byte("{}")}}, sendTo(ours)); err != nil {
		t.Fatal(err)
	}
	if err := sendTo(ours)([]int{descriptor.Of(null), descriptor.Of(null)}); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	s.p.Resume([]*os.File{theirs, null})
	if n := s.p.tunnels.count(); n != 0 {
		t.Errorf("%d tunnels of nothing", n)
	}
}
