package launcher

import (
	"os"
	"path/filepath"
	"testing"
)

// Where there is swap, a limit of memory alone is told of, until root's file says a word about swap.
func TestALimitThatSwapLiesBesideIsTold(t *testing.T) {
	file := func(path, text string) string {
		dir := t.TempDir()
		at := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	const memory = "cpu io memory pids\n"
	swaps, none := "MemTotal: 8000000 kB\nSwapTotal: 4194304 kB\n", "MemTotal: 8000000 kB\nSwapTotal: 0 kB\n"
	for _, play := range []struct {
		what    string
		open    bool
		unified bool
		memory  string
		meminfo string
		isTold  bool
	}{
		{"swap", true, true, memory, swaps, true},
		{"a word about swap", false, true, memory, swaps, false},
		{"no swap", true, true, memory, none, false},
		{"control groups of version 1, which have no such limit", true, false, memory, swaps, false},
		{"no limits of memory at all", true, true, "cpu io pids\n", swaps, false},
	} {
		got := (&Policy{SwapOpen: play.open}).overflow(cgroups{file("cgroup.controllers", play.memory), play.unified}, file("proc/meminfo", play.meminfo))
		if told := mentions(got, "swap_limit", "4 GiB"); told != play.isTold || len(got) > 1 {
			t.Errorf("%s: %q", play.what, got)
		}
	}
}

// An option that the kernel cannot keep is told, if it is used, and not otherwise.
func TestWhatIsInVainIsTold(t *testing.T) {
	has := func(files ...string) string {
		dir := t.TempDir()
		for _, f := range files {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, f), []byte("cpu io memory pids\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const bpf, loop, controllers = "proc/sys/kernel/unprivileged_bpf_disabled", "dev/loop-control", "cgroup.controllers"
	all := []string{"mem_high", "swap_limit", "ip_address_deny", "io_weight", "device_allow", "root_image", "mem_limit"}
	for _, play := range []struct {
		what   string
		groups cgroups
		root   string
		uses   []string
		want   [][]string
	}{
		{"a machine that can all", cgroups{has(controllers, "jupyter.slice/memory.max", "jupyter.slice/memory.swap.max"), true}, has(bpf, loop), all, nil},
		{"before any server", cgroups{has(controllers), true}, has(bpf, loop), all, nil},
		{"no account of swap", cgroups{has(controllers, "jupyter.slice/memory.max"), true}, has(bpf, loop), all, [][]string{{"swap_limit does nothing", "swapaccount"}}},
		{"version 1", cgroups{has("blkio/cgroup.procs", "devices/cgroup.procs"), false}, has(loop), all,
			[][]string{{"mem_high and swap_limit do nothing", "unified_cgroup_hierarchy"}, {"ip_address_deny does nothing", "CONFIG_CGROUP_BPF"}}},
		{"no loop devices", cgroups{has(controllers), true}, has(bpf), all, [][]string{{"root_image does nothing", "modprobe loop"}}},
		{"nothing at all, and nothing used", cgroups{has(), false}, has(), []string{"mem_limit"}, nil},
		{"disks without weights", cgroups{has(controllers, "jupyter.slice/io.stat"), true}, has(bpf, loop), all, [][]string{{"io_weight does nothing", "BFQ_GROUP_IOSCHED"}}},
		{"disks with weights", cgroups{has(controllers, "jupyter.slice/io.stat", "jupyter.slice/io.bfq.weight"), true}, has(bpf, loop), all, nil},
		{"disks without weights, version 1", cgroups{has("blkio/cgroup.procs", "blkio/jupyter.slice/blkio.throttle.read_bps_device"), false}, has(loop), []string{"io_weight"},
			[][]string{{"io_weight does nothing"}}},
		{"no list of devices", cgroups{has(controllers), true}, has(loop), []string{"device_allow"}, [][]string{{"device_allow does nothing", "CONFIG_CGROUP_BPF"}}},
		{"no list of devices, version 1", cgroups{has(), false}, has(bpf), []string{"device_allow"}, [][]string{{"device_allow does nothing"}}},
		{"a list of devices", cgroups{has("devices/cgroup.procs"), false}, has(), []string{"device_allow"}, nil},
		{"nothing at all", cgroups{has(), true}, has(), []string{"group_io_weight", "ip_address_allow", "extension_images"},
			[][]string{{"group_io_weight", "no io controller"}, {"ip_address_allow"}, {"extension_images"}}},
	} {
		got := (&Policy{Uses: play.uses}).inVain(play.groups, play.root)
		if len(got) != len(play.want) {
			t.Errorf("%s: %q", play.what, got)
		}
		for _, words := range play.want {
			if !mentions(got, words...) {
				t.Errorf("%s: %q lacks %q", play.what, got, words)
			}
		}
	}
}
