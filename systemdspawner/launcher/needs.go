package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// machineRoot is where the kernel's files are looked for.
const machineRoot = "/"

// need is something of the kernel's without which some options do nothing.
type need struct {
	options []string
	met     func(c cgroups, root string) bool
	remedy  string
}

// needs are those of options that systemd takes and, where the kernel cannot, passes over with a word in the journal at most.
var needs = []need{
	{[]string{"mem_high", "mem_guarantee", "swap_limit"}, func(c cgroups, _ string) bool { return c.unified },
		"control groups are of version 1; boot with systemd.unified_cgroup_hierarchy=1"},
	{[]string{"swap_limit"}, func(c cgroups, _ string) bool { return !c.unified || !c.has("memory") || c.countsSwap() },
		"the kernel does not count swap; boot with swapaccount=1"},
	{[]string{"ip_address_allow", "ip_address_deny"}, func(c cgroups, root string) bool { return c.filters(root) },
		"the kernel has no filters for control groups (CONFIG_CGROUP_BPF, and a hierarchy of version 2); use a kernel of the distribution's"},
	{[]string{"device_allow"}, func(c cgroups, root string) bool {
		return c.has("devices") && !c.unified || c.filters(root) && c.unified
	},
		"the kernel keeps no list of devices for control groups, so that servers may use every one whose file lets them (CONFIG_CGROUP_DEVICE, CONFIG_CGROUP_BPF); " +
			"use a kernel of the distribution's"},
	{[]string{"io_weight", "group_io_weight"}, func(c cgroups, _ string) bool { return c.has("io") || !c.unified && c.has("blkio") },
		"there is no io controller for control groups"},
	{[]string{"io_weight", "group_io_weight"}, func(c cgroups, _ string) bool { return !c.has("io") && !c.has("blkio") || c.weighsDisks() },
		"the kernel's schedulers of disks know no weights (CONFIG_BLK_CGROUP_IOCOST, or CONFIG_BFQ_GROUP_IOSCHED and the scheduler bfq)"},
	{[]string{"root_image", "extension_images"}, func(_ cgroups, root string) bool {
		return exists(filepath.Join(root, "sys/module/loop")) || exists(filepath.Join(root, "dev/loop-control"))
	},
		"the kernel has no loop devices; modprobe loop, or name directories instead of images"},
}

// inVain tells which options that root's file uses do nothing on this machine, each with the remedy.
func (p *Policy) inVain(c cgroups, root string) []string {
	var findings []string
	for _, n := range needs {
		used := slices.DeleteFunc(slices.Clone(n.options), func(option string) bool { return !slices.Contains(p.Uses, option) })
		if len(used) == 0 || n.met(c, root) {
			continue
		}
		does := "does"
		if len(used) > 1 {
			does = "do"
		}
		findings = append(findings, fmt.Sprintf("%s %s nothing here: %s", strings.Join(used, " and "), does, n.remedy))
	}
	return findings
}

// overflow tells that what mem_limit keeps out of memory goes into the machine's swap, which slows everybody down before the server is
// ended that wanted it. Root's file ends the finding by a word about swap, be it that there is no limit.
func (p *Policy) overflow(c cgroups, root string) []string {
	b, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	swap := meminfo(string(b), "SwapTotal:")
	if err != nil || swap == 0 || !p.SwapOpen || !c.unified || !c.has("memory") {
		return nil
	}
	return []string{fmt.Sprintf("mem_limit does not hold for swap: a server that wants more fills the machine's, %s, before it is ended; "+
		"set swap_limit, to \"0\" where no server sleeps, to as much as mem_limit where some do, or to \"\" if that is meant", bytesText(uint64(swap)))}
}

// countsSwap reports whether the kernel limits what a control group has on disk. The root group has no such file.
func (c cgroups) countsSwap() bool {
	return exists(c.file("", hub.TopSlice, "memory.swap.max")) || !exists(c.file("", hub.TopSlice, "memory.max"))
}

// weighsDisks reports whether the kernel has weights for disks. The root group has no such file.
func (c cgroups) weighsDisks() bool {
	for _, known := range []string{"io.weight", "io.bfq.weight", "blkio.bfq.weight", "blkio.weight"} {
		if exists(c.file("blkio", hub.TopSlice, known)) {
			return true
		}
	}
	return !exists(c.file("blkio", hub.TopSlice, "io.stat")) && !exists(c.file("blkio", hub.TopSlice, "blkio.throttle.read_bps_device"))
}

// filters reports whether systemd can filter what control groups send and receive: by programs of BPF, on a hierarchy of version 2,
// which may stand beside those of version 1.
func (c cgroups) filters(root string) bool {
	if !exists(filepath.Join(root, "proc/sys/kernel/unprivileged_bpf_disabled")) {
		return false
	}
	var fs unix.Statfs_t
	beside := filepath.Join(c.root, "unified")
	return c.unified || unix.Statfs(beside, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
