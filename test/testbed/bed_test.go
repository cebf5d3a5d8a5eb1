package testbed

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// interruptedRole makes this test program boot a bed and wait, for the tests that end it.
const interruptedRole = "TESTBED_TEST_BOOTS"

func TestMain(m *testing.M) {
	if os.Getenv(interruptedRole) != "" {
		if _, err := Boot(context.Background(), Options{Bare: true}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("up")
		select {}
	}
	os.Exit(Main(m))
}

// bare boots a bed without the product and ends it with the test.
func bare(t *testing.T, o Options) *Bed {
	t.Helper()
	Needed(t)
	o.Bare = true
	b, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.End(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func run(t *testing.T, b *Bed, name string, args ...string) string {
	t.Helper()
	out, err := b.Run(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// soon is for what takes a second at most where nothing else runs.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestMachineIsUpWithItsCast(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{Users: []string{"carol"}})
	if state := run(t, b, "systemctl", "is-system-running"); state != "running" {
		t.Errorf("the machine is %s: %s", state, run(t, b, "systemctl", "--failed", "--no-legend"))
	}
	for _, name := range append(Cast, "carol") {
		if who, err := b.As(name).Run(t.Context(), "id", "--user", "--name"); who != name || err != nil {
			t.Errorf("%s is %q: %v", name, who, err)
		}
		if b.Password(name) == "" {
			t.Errorf("%s has no password", name)
		}
	}
	if home, err := b.As("alice").Run(t.Context(), "pwd"); home != "/home/alice" || err != nil {
		t.Errorf("alice works in %q: %v", home, err)
	}
	if groups := run(t, b, "id", "--groups", "--name", "admin"); !strings.Contains(groups, "sudo") {
		t.Errorf("admin is in the groups %s", groups)
	}
}

func TestHostIsOutOfReach(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{})
	for _, script := range []string{
		"echo 1 >/proc/sys/kernel/panic",
		"echo 1 >/sys/kernel/mm/ksm/run",
		"touch /usr/src/jupyterhub/hole",
		"kill -0 " + fmt.Sprint(os.Getpid()),
	} {
		if out, err := b.Run(t.Context(), "sh", "-c", script); err == nil {
			t.Errorf("%q reached the host: %s", script, out)
		}
	}
	// Asked, not tried: what goes wrong here goes wrong for the host.
	for _, script := range []string{"setpriv --dump", "systemd-run --quiet --pipe --wait setpriv --dump"} {
		bounds := run(t, b, "sh", "-c", script+" | grep bounding")
		for _, c := range []string{"sys_module", "sys_rawio", "sys_time"} {
			if strings.Contains(bounds, c) {
				t.Errorf("root inside has %s: %s", c, bounds)
			}
		}
	}
	run(t, b, "touch", "/usr/bin/only-inside")
	if _, err := os.Stat("/usr/bin/only-inside"); err == nil {
		t.Error("a file written inside is on the host")
	}
}

func TestTwoMachinesAtOnceKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	Needed(t)
	beds := make([]*Bed, 2)
	var both sync.WaitGroup
	for i := range beds {
		both.Go(func() { beds[i] = bare(t, Options{}) })
	}
	both.Wait()
	for i, b := range beds {
		if b == nil {
			t.Fatal("not booted")
		}
		run(t, b, "systemd-run", "--quiet", "--unit=same-name", "--property=MemoryMax="+fmt.Sprint(64+i)+"M", "sleep", "infinity")
	}
	for i, b := range beds {
		want := fmt.Sprint((64 + i) << 20)
		if got := run(t, b, "systemctl", "show", "--property=MemoryMax", "--value", "same-name"); got != want {
			t.Errorf("machine %d says MemoryMax=%s, want %s", i, got, want)
		}
		if !b.HasControllers() {
			continue
		}
		limit := "/sys/fs/cgroup/memory/system.slice/same-name.service/memory.limit_in_bytes"
		if got := run(t, b, "cat", limit); got != want {
			t.Errorf("machine %d has the limit %s in its kernel, want %s", i, got, want)
		}
	}
	if err := beds[0].End(); err != nil {
		t.Error(err)
	}
	if state := run(t, beds[1], "systemctl", "is-active", "same-name"); state != "active" {
		t.Errorf("when one machine ended, a unit of the other became %s", state)
	}
}

func TestLimitsBind(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{})
	if !b.HasControllers() {
		t.Skip("this host hands no memory controller down")
	}
	limited := func(limit, script string) (string, error) {
		return b.Run(t.Context(), "systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--property="+limit, "sh", "-c", script)
	}
	if out, err := limited("MemoryMax=32M", "head -c 200M /dev/zero | tail -c 150M | wc -c"); err == nil && out == fmt.Sprint(150<<20) {
		t.Error("MemoryMax=32M let 150 MB be held")
	}
	if out, err := limited("TasksMax=5", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"); err == nil {
		t.Errorf("TasksMax=5 let eight be: %s", out)
	}
	// The last line of the shell's times is its children's, first as a user and then in the kernel.
	told, err := limited("CPUQuota=10%", `timeout 2 sh -c 'while :; do :; done'; times`)
	_, children, _ := strings.Cut(told, "\n")
	asUser, _, _ := strings.Cut(children, " ")
	used, badTime := time.ParseDuration(asUser)
	if err != nil || badTime != nil || used > time.Second {
		t.Errorf("CPUQuota=10%% let two seconds take %q of processor: %v", told, err)
	}
}

func TestUnifiedMachineFreezes(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{Unified: true})
	run(t, b, "systemd-run", "--quiet", "--unit=sleeper", "sleep", "infinity")
	run(t, b, "systemctl", "freeze", "sleeper")
	if state := run(t, b, "systemctl", "show", "--property=FreezerState", "--value", "sleeper"); state != "frozen" {
		t.Errorf("frozen, the unit is %s", state)
	}
	run(t, b, "systemctl", "thaw", "sleeper")
}

func TestUnitsAndJournalAreAwaited(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{})
	run(t, b, "systemd-run", "--quiet", "--unit=brief", "--remain-after-exit", "sh", "-c", "echo good day; read -r line </dev/zero")
	if line, err := b.AwaitJournal(soon(t), "brief.service", "good day"); err != nil || !strings.Contains(line, "good day") {
		t.Errorf("read %q: %v", line, err)
	}
	if err := b.Kill(t.Context(), "brief.service", "SIGKILL"); err != nil {
		t.Error(err)
	}
	if state, err := b.AwaitUnit(soon(t), "brief.service", "failed"); state != "failed" || err != nil {
		t.Errorf("killed, the unit is %s: %v", state, err)
	}
	if result, err := b.AwaitProperty(soon(t), "brief.service", "Result", func(v any) bool { return v == "signal" }); err != nil {
		t.Errorf("killed, its result is %s: %v", result, err)
	}
	ended, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.AwaitUnit(ended, "brief.service", "active"); err == nil {
		t.Error("waiting for what never comes has to end with the context")
	}
}

func TestHostReachesTheNetworkInside(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{})
	serve := b.Cmd(t.Context(), "/usr/bin/python3", "-m", "http.server", "--directory", "/etc", "--bind", "127.0.0.1", "8000")
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := b.Forward(t.Context(), "127.0.0.1:0", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() error { return get(&http.Client{Transport: b.Transport()}, URL+"hostname", "testbed\n") })
	await(t, func() error { return get(http.DefaultClient, "http://"+addr.String()+"/hostname", "testbed\n") })
	if c, err := net.Dial("tcp", "127.0.0.1:8000"); err == nil {
		c.Close()
		t.Log("port 8000 of the host is somebody else's")
	}
	if bus, err := b.Dial(t.Context(), "unix", "/run/dbus/system_bus_socket"); err != nil {
		t.Errorf("reach a Unix socket: %v", err)
	} else {
		bus.Close()
	}
	if _, err := b.Dial(t.Context(), "tcp", "localhost:8000"); err == nil {
		t.Error("a name was looked up, on the host, for a network that is not the host's")
	}
}

func get(c *http.Client, url, want string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && string(body) != want {
		err = fmt.Errorf("%s answered %q", url, body)
	}
	return err
}

// await tries until it goes well; a listener of Python's announces itself to nobody.
func await(t *testing.T, try func() error) {
	t.Helper()
	ctx, tick := soon(t), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for err := try(); err != nil; err = try() {
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func TestRebootKeepsFilesAndLosesTheRest(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{})
	if err := b.WriteFile(t.Context(), "/srv/kept/note", "kept\n", 0o640); err != nil {
		t.Fatal(err)
	}
	run(t, b, "touch", "/run/lost")
	before := run(t, b, "cat", "/etc/machine-id")
	if err := b.Reboot(soon(t)); err != nil {
		t.Fatal(err)
	}
	if note, err := b.ReadFile(t.Context(), "/srv/kept/note"); note != "kept\n" || err != nil {
		t.Errorf("after a reboot the note says %q: %v", note, err)
	}
	if _, err := b.Run(t.Context(), "test", "-e", "/run/lost"); err == nil {
		t.Error("/run outlived the reboot")
	}
	if after := run(t, b, "cat", "/etc/machine-id"); after != before {
		t.Error("a reboot made another machine")
	}
	if boots := run(t, b, "journalctl", "--list-boots", "--quiet"); strings.Count(boots, "\n") != 1 {
		t.Errorf("the journal knows these boots:\n%s", boots)
	}
}

func TestKilledOwnerTakesTheMachineAlong(t *testing.T) {
	t.Parallel()
	Needed(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), interruptedRole+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if up := make([]byte, 3); true {
		if _, err := io.ReadFull(out, up); err != nil || string(up) != "up\n" {
			rest, _ := io.ReadAll(out)
			t.Fatalf("%q %s %v", up, rest, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	await(t, func() error {
		clearAway()
		if left := Leftovers(cmd.Process.Pid); len(left) > 0 {
			return fmt.Errorf("left: %q", left)
		}
		return nil
	})
}

func TestNothingIsLeftOfAMachine(t *testing.T) {
	t.Parallel()
	b := bare(t, Options{})
	run(t, b, "systemd-run", "--quiet", "--uid=alice", "--unit=last-words", "sleep", "infinity")
	if left := named(Leftovers(os.Getpid()), b.Name); len(left) < 3 {
		t.Errorf("a machine that runs has only %q: the count sees nothing", left)
	}
	if err := b.End(); err != nil {
		t.Fatal(err)
	}
	if left := named(Leftovers(os.Getpid()), b.Name); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func named(left []string, name string) (of []string) {
	for _, l := range left {
		if strings.Contains(l, name) {
			of = append(of, l)
		}
	}
	return of
}

func TestBootThatIsInterruptedLeavesNothing(t *testing.T) {
	Needed(t)
	for _, after := range []time.Duration{time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		b, err := Boot(ctx, Options{Bare: true})
		cancel()
		if err == nil {
			b.End()
			t.Logf("booted within %s", after)
		}
	}
	if left := Leftovers(os.Getpid()); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
