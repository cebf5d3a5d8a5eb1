package launcher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEyesSeeWhatIsMadeUntilTheyAreToldToStop(t *testing.T) {
	e, err := openEyes()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.run(ctx) }()

	one, two := t.TempDir(), t.TempDir()
	seen := make(chan string, 10)
	stop, err := e.watch(one, unix.IN_CREATE|unix.IN_ONLYDIR, func(name string) { seen <- "one/" + name })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.watch(two, unix.IN_CREATE, func(name string) { seen <- "two/" + name }); err != nil {
		t.Fatal(err)
	}
	touch := func(dir, name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	touch(one, "s")
	if got := <-seen; got != "one/s" {
		t.Errorf("saw %s", got)
	}
	stop()
	touch(one, "t")
	touch(two, "a name that is a good deal longer than the padding of one event")
	if got := <-seen; got != "two/a name that is a good deal longer than the padding of one event" {
		t.Errorf("saw %s", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if _, err := e.watch(two, unix.IN_CREATE, nil); err == nil {
		t.Error("watches after its end")
	}
}

func TestAfterAnOverflowEverythingIsLookedAtAgain(t *testing.T) {
	e := &eyes{seen: map[int32]func(string){}}
	looked := map[string]int{}
	e.seen[1] = func(name string) { looked["one"+name]++ }
	e.seen[2] = func(name string) { looked["two"+name]++ }
	overflow := make([]byte, unix.SizeofInotifyEvent)
	overflow[0], overflow[1], overflow[2], overflow[3] = 0xff, 0xff, 0xff, 0xff
	overflow[5] = unix.IN_Q_OVERFLOW >> 8
	e.dispatch(overflow)
	if looked["one"] != 1 || looked["two"] != 1 {
		t.Errorf("looked %v", looked)
	}
}
