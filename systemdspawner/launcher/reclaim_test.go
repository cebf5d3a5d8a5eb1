package launcher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// group writes the files of one control group and returns the hierarchy.
func group(t *testing.T, unified bool, files map[string]string) cgroups {
	t.Helper()
	c := cgroups{root: t.TempDir(), unified: unified}
	for path, content := range files {
		path = filepath.Join(c.root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// The files of this control group are no kernel's: what is written stays, and memory.current does not fall. So one bite is
// asked for, and that is the end.
func TestMemoryIsAskedBackInBites(t *testing.T) {
	c := group(t, true, map[string]string{"a/memory.reclaim": "", "a/memory.current": "104857600\n", "a/memory.high": "max\n"})
	if err := c.reclaim(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(c.root, "a/memory.reclaim")); string(got) != "33554432" {
		t.Errorf("asked for %q", got)
	}
	small := group(t, true, map[string]string{"a/memory.reclaim": "", "a/memory.current": "4096\n"})
	if err := small.reclaim(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(small.root, "a/memory.reclaim")); string(got) != "4096" {
		t.Errorf("asked for %q of 4096", got)
	}
}

// Older kernels take back what is over a limit. The limit that was there is there again, whatever happens.
func TestTheLimitIsPutBackAfterMemoryWasAskedBack(t *testing.T) {
	for _, before := range []string{"max", "1073741824"} {
		for name, ctx := range map[string]context.Context{"to the end": t.Context(), "woken at once": cancelled(t)} {
			c := group(t, true, map[string]string{"a/memory.current": "104857600\n", "a/memory.high": before + "\n"})
			if err := c.reclaim(ctx, "a"); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if got, _ := os.ReadFile(filepath.Join(c.root, "a/memory.high")); !strings.HasPrefix(string(got), before) {
				t.Errorf("%s: memory.high was %s and is %s", name, before, got)
			}
		}
	}
}

// An admin gives another limit while memory is asked back: theirs stays.
func TestALimitThatIsSetMeanwhileStays(t *testing.T) {
	c := group(t, true, map[string]string{"a/memory.high": "max\n"})
	used, high := filepath.Join(c.root, "a/memory.current"), filepath.Join(c.root, "a/memory.high")
	if err := unix.Mkfifo(used, 0o600); err != nil { // so that we know when it is read
		t.Fatal(err)
	}
	told := make(chan error, 1)
	go func() {
		err := os.WriteFile(used, []byte("104857600\n"), 0)
		for err == nil && number(high) < 0 { // until the limit is lowered
			runtime.Gosched()
		}
		told <- errors.Join(err, os.WriteFile(high, []byte("2147483648\n"), 0o600), os.WriteFile(used, []byte("104857600\n"), 0))
	}()
	if err := errors.Join(c.reclaim(t.Context(), "a"), <-told); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(high); strings.TrimSpace(string(got)) != "2147483648" {
		t.Errorf("memory.high is %s", got)
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestWhatAControlGroupUsedAndMay(t *testing.T) {
	two := group(t, true, map[string]string{
		"a/memory.peak": "300\n", "a/memory.swap.current": "20\n", "a/pids.peak": "9\n", "a/memory.max": "1000\n", "a/memory.high": "max\n",
		"a/cpu.max": "150000 100000\n", "a/cpu.weight": "100\n", "a/io.weight": "default 50\n8:0 20\n", "a/pids.max": "64\n",
		"a/io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n",
	})
	want := hub.Usage{MemoryPeak: 300, Swap: 20, TasksPeak: 9, IORead: 11, IOWritten: 22,
		Limits: hub.Limits{MemoryMax: 1000, CPUQuota: 1.5, CPUWeight: 100, IOWeight: 50, TasksMax: 64}}
	if got := *two.used("a"); got != want {
		t.Errorf("version 2: %+v\nwant %+v", got, want)
	}
	one := group(t, false, map[string]string{
		"memory/a/memory.max_usage_in_bytes": "300\n", "memory/a/memory.stat": "cache 5\nswap 20\n", "memory/a/memory.limit_in_bytes": "9223372036854771712\n",
		"cpu/a/cpu.cfs_quota_us": "50000\n", "cpu/a/cpu.cfs_period_us": "100000\n", "cpu/a/cpu.shares": "512\n", "pids/a/pids.max": "max\n",
		"blkio/a/blkio.throttle.io_service_bytes": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n", "blkio/a/blkio.weight": "500\n",
	})
	want = hub.Usage{MemoryPeak: 300, Swap: 20, TasksPeak: -1, IORead: 10, IOWritten: 20,
		Limits: hub.Limits{CPUQuota: 0.5, CPUWeight: 50, IOWeight: 100}}
	if got := *one.used("a"); got != want {
		t.Errorf("version 1: %+v\nwant %+v", got, want)
	}
	for weight, bfq := range map[int64][2]string{20: {"20", "100"}, 70: {"70", "122"}, 100: {"100", "136"}, 150: {"104", "159"}} {
		unified := group(t, true, map[string]string{"a/io.bfq.weight": "default " + bfq[0] + "\n"})
		legacy := group(t, false, map[string]string{"blkio/a/blkio.bfq.weight": bfq[1] + "\n"})
		if two, one := unified.used("a").Limits.IOWeight, legacy.used("a").Limits.IOWeight; two != weight || one != weight {
			t.Errorf("a weight of %d is read from the scheduler bfq as %d and %d", weight, two, one)
		}
	}
	want = hub.Usage{MemoryPeak: -1, Swap: -1, TasksPeak: -1, IORead: -1, IOWritten: -1}
	if got := *two.used("gone"); got != want {
		t.Errorf("of a group that is gone: %+v", got)
	}
}

func TestAMachineThatCannotFreezeSaysWhy(t *testing.T) {
	err := cgroups{}.freezes()
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Conflict || e.Cause.Kind != hub.CauseCannotFreeze || !strings.Contains(e.Cause.Detail, "version 1") {
		t.Errorf("%#v", err)
	}
	if found := (cgroups{}).checkSleep(); len(found) != 1 || !strings.Contains(found[0], "systemd.unified_cgroup_hierarchy=1") {
		t.Errorf("found %q", found)
	}
}
