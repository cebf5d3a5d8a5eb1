package varlink

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// Vulnerability: whoever may knock keeps every place at the door busy, and root cannot look at what happens or end it.
// Attack: calls that are not answered in as many connections as the door serves.
// Verified: root is served beside them, so many times and no more; somebody else is not.
func TestRootHasAReserve(t *testing.T) {
	const places, reserve = 2, 2
	path := filepath.Join(t.TempDir(), "door")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan struct{}, places), make(chan error, 1)
	s := service(map[string]Handler{"Say": echo, "Hang": func(ctx context.Context, _ *Request) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}})
	s.MaxConns, s.Reserve = places, reserve
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() { cancel(); <-ended }()
	for range places {
		c, err := Dial(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() { _ = c.Call(ctx, "org.example.Echo.Hang", nil, nil) }() // it ends with ctx, ignoring
		<-begun
	}
	for i := range reserve + 1 {
		c, err := Dial(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		err = c.Call(ctx, "org.example.Echo.Say", word{"root"}, nil)
		if served := os.Getuid() == 0 && i < reserve; served != (err == nil) {
			t.Errorf("call %d beside a full door: %v", i+1, err)
		}
	}
}

// A request that is too long is refused before it is sent: the door would break off.
func TestALongRequestIsRefusedAtOnce(t *testing.T) {
	c := door(t, service(map[string]Handler{"Say": echo}))
	if err := c.Call(t.Context(), "org.example.Echo.Say", word{strings.Repeat("x", MaxRequest)}, nil); hub.KindOf(err) != hub.TooLarge {
		t.Errorf("answered %v", err)
	}
	var got word
	if err := c.Call(t.Context(), "org.example.Echo.Say", word{"short"}, &got); err != nil || got.Word != "short" {
		t.Errorf("the next call is answered %q, %v", got.Word, err)
	}
}
