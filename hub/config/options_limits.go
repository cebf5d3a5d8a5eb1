package config

import (
	"fmt"
	"slices"
	"strings"
)

// limitOptions say what one server may use.
func limitOptions() []row[Policy] {
	return []row[Policy]{
		option("mem_limit", size, 2<<30, func(p *Policy) *Bytes { return &p.MemLimit },
			"Memory that one server may use (MemoryMax=); 0 is no limit. Swap is another matter: swap_limit.", zeroOr(64<<20, Bytes.String)),
		option("cpu_limit", real, 2, func(p *Policy) *float64 { return &p.CPULimit },
			"CPUs that one server may use (CPUQuota=); 0 is no limit.", cpus),
		option("tasks_max", count, 1024, func(p *Policy) *int64 { return &p.TasksMax },
			"Processes and threads of one server (TasksMax=); 0 is systemd's default.", zeroOr(32, func(n int64) string { return fmt.Sprint(n) })),
		option("mem_high", size, 0, func(p *Policy) *Bytes { return &p.MemHigh },
			"Memory over which a server is slowed down and loses its caches (MemoryHigh=), before mem_limit kills; 0 is none.", zeroOr(32<<20, Bytes.String)),
		option("mem_guarantee", size, 0, func(p *Policy) *Bytes { return &p.MemGuarantee },
			"Memory that nobody takes from a server (MemoryMin=, of its slices too). A start for which the machine has none left is refused."),
		option("swap_limit", maybeSize, nil, func(p *Policy) **Bytes { return &p.SwapLimit },
			"Swap that one server may use (MemorySwapMax=); \"0\" is none, empty is no limit.").
			note("Without it a server that reaches mem_limit fills the machine's swap before it is ended, as with systemdspawner; `jupyterhub doctor` " +
				"says so once there is swap, until this is set. With \"0\" servers that sleep (sleep_after) keep their memory."),
		option("cpu_guarantee", real, 0, func(p *Policy) *float64 { return &p.CPUGuarantee },
			"CPUs that a server gets when all want some: its weight is 100 for each (CPUWeight=). A start beyond the machine's CPUs is refused.", cpus),
		option("cpu_weight", count, 0, func(p *Policy) *int64 { return &p.CPUWeight },
			"Share of the CPUs when they are short, 1 to 10000, 100 being the default (CPUWeight=); 0 is what cpu_guarantee says.", within(0, 10000)),
		option("io_weight", count, 0, func(p *Policy) *int64 { return &p.IOWeight },
			"Share of the disks when they are busy, 1 to 10000 (IOWeight=); 0 is systemd's default, 100.", within(0, 10000)),
		option("runtime_max", span, 0, func(p *Policy) *Duration { return &p.RuntimeMax },
			"How long a server may run before it is ended (RuntimeMaxSec=); 0 is for ever. The home page says when, and JupyterLab 15, 5 and 1 minutes before.", zeroOrSpan(seconds(60))),
		option("ip_address_allow", texts, nil, func(p *Policy) *[]string { return &p.IPAddressAllow },
			"Addresses that servers may reach whatever ip_address_deny says: networks, \"localhost\", \"link-local\", \"multicast\", \"any\".", every(addresses)),
		option("ip_address_deny", texts, nil, func(p *Policy) *[]string { return &p.IPAddressDeny },
			"Addresses that servers may not reach. They need \"localhost\" for the hub's API.", every(addresses)).
			note("What the kernel of this machine cannot keep, of this and of the limits, `jupyterhub doctor` tells."),
		option("max", ceilings, nil, func(p *Policy) *map[string]any { return &p.Max },
			"Up to where a command `jupyterhub limit` may raise what runs: mem_limit, mem_high, cpu_limit, cpu_weight, io_weight, tasks_max.").
			note("What is not named here may be lowered alone."),
	}
}

// sliceOptions say where servers stand among others, and what they may use together.
func sliceOptions() []row[Policy] {
	return []row[Policy]{
		option("user_mem_limit", size, 0, func(p *Policy) *Bytes { return &p.UserMemLimit },
			"Memory of all servers of one user together (MemoryMax= of her slice); 0 is no limit.", zeroOr(64<<20, Bytes.String)),
		option("user_cpu_limit", real, 0, func(p *Policy) *float64 { return &p.UserCPULimit },
			"CPUs of all servers of one user together (CPUQuota= of her slice); 0 is no limit.", cpus),
		option("user_tasks_max", count, 0, func(p *Policy) *int64 { return &p.UserTasksMax },
			"Processes and threads of all servers of one user together; 0 is no limit.", zeroOr(32, func(n int64) string { return fmt.Sprint(n) })),
		option("slice", text, "", func(p *Policy) *string { return &p.Slice },
			"A slice for servers instead of the user's, in jupyter.slice: its name begins with \"jupyter-\".", emptyOr(sliceName)),
		option("group_slice", boolean, false, func(p *Policy) *bool { return &p.GroupSlice },
			"In [spawner.group.X]: members' slices are in one of the group, jupyter-group_X.slice, and share what it may use.").
			note("Of several such groups of a user the last by name decides, alone. Users without one have a slice right in jupyter.slice, jupyter-user_NAME.slice."),
		option("group_mem_limit", size, 0, func(p *Policy) *Bytes { return &p.GroupMemLimit },
			"Memory of all servers in the group's slice together; 0 is no limit.", zeroOr(64<<20, Bytes.String)),
		option("group_cpu_limit", real, 0, func(p *Policy) *float64 { return &p.GroupCPULimit },
			"CPUs of all servers in the group's slice together; 0 is no limit.", cpus),
		option("group_cpu_weight", count, 0, func(p *Policy) *int64 { return &p.GroupCPUWeight },
			"The group's share of the CPUs among groups when they are short, 1 to 10000; 0 is 100.", within(0, 10000)),
		option("group_io_weight", count, 0, func(p *Policy) *int64 { return &p.GroupIOWeight },
			"The group's share of the disks among groups when they are busy, 1 to 10000; 0 is 100.", within(0, 10000)),
		option("group_tasks_max", count, 0, func(p *Policy) *int64 { return &p.GroupTasksMax },
			"Processes and threads of all servers in the group's slice together; 0 is no limit.", zeroOr(32, func(n int64) string { return fmt.Sprint(n) })),
	}
}

// sandboxOptions say what the kernel keeps from a server.
func sandboxOptions() []row[Policy] {
	return []row[Policy]{
		option("isolate_tmp", perhaps, nil, func(p *Policy) **bool { return &p.IsolateTmp },
			"Whether /tmp is the server's own; where set, it replaces PrivateTmp of [spawner.sandbox]."),
		option("isolate_devices", perhaps, nil, func(p *Policy) **bool { return &p.IsolateDevices },
			"Whether devices are hidden; where set, it replaces PrivateDevices and DevicePolicy of [spawner.sandbox]."),
		option("disable_user_sudo", perhaps, nil, func(p *Policy) **bool { return &p.DisableUserSudo },
			"Whether sudo and other set-uid programs gain nothing; where set, it replaces NoNewPrivileges of [spawner.sandbox]."),
		option("readonly_paths", texts, nil, func(p *Policy) *[]string { return &p.ReadonlyPaths },
			"Paths that servers may only read (ReadOnlyPaths=); \"-\" before one: it may be missing.", every(mountPath)).
			note("{username} and {home} are filled in."),
		option("readwrite_paths", texts, nil, func(p *Policy) *[]string { return &p.ReadwritePaths },
			"Paths that servers may write where the sandbox says otherwise (ReadWritePaths=).", every(mountPath)).
			note("{username} and {home} are filled in."),

		option("device_allow", texts, nil, func(p *Policy) *[]string { return &p.DeviceAllow },
			"Devices that servers may use besides the harmless ones, such as \"/dev/nvidia*\".", every(device)).
			note("Classes such as \"char-drm\" too. They are let in beside those of DevicePolicy=closed, and PrivateDevices gives way."),
		option("sandbox", sandboxes, defaultSandbox(), func(p *Policy) *map[string]any { return &p.Sandbox },
			"What the kernel keeps from servers: \"default\", \"strict\", or properties of systemd.exec(5), each of which replaces that one alone.", propertyNames).
			inFull(fullSandbox).
			note("{ base = \"strict\", PrivateTmp = false } is the strict one but for a property. An empty value leaves a property out: PrivateTmp = \"\"; " +
				"PrivateDevices = false leaves DevicePolicy out as well. By default systemctl, loginctl and hostnamectl do not work in " +
				"JupyterLab's terminal: the system bus is not seen."),
		option("unit_extra_properties", properties, nil, func(p *Policy) *map[string]any { return &p.UnitExtraProperties },
			"Further properties of a server's unit, as in systemd.exec(5) and systemd.resource-control(5).", propertyNames).
			note("Lists where systemd takes several. ExecStartPre and ExecStartPost are lists of command lines that run as the server's user, in its sandbox. " +
				"{username}, {account} and {home} are filled in."),
	}
}

func cpus(n float64) error {
	if n < 0 || n > 0 && n < 0.01 {
		return fmt.Errorf("is %v; it wants CPUs such as 2.0 or 0.5, or 0 for no limit", n)
	}
	return nil
}

func device(s string) error {
	for _, prefix := range []string{"/dev/", "char-", "block-"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && rest != "" {
			return nil
		}
	}
	return fmt.Errorf(`is no device; it wants a path such as "/dev/nvidia*", or a class such as "char-drm"`)
}

// pathOrHome takes an absolute path, which may begin with the home directory.
func pathOrHome(s string) error {
	if !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "{home}") {
		return fmt.Errorf(`is no absolute path; it wants one such as "/srv/course" or "{home}/work"`)
	}
	return nil
}

// mountPath is one with "-" or "+" before it, as systemd has it.
func mountPath(s string) error { return pathOrHome(strings.TrimLeft(s, "-+")) }

func sliceName(s string) error {
	body, isSlice := strings.CutSuffix(s, ".slice")
	rest, below := strings.CutPrefix(body, "jupyter-")
	bad := func(r rune) bool { return r > 127 || !isBare(byte(r)) && r != '.' && r != ':' && r != '\\' }
	if !isSlice || !below || rest == "" || strings.Contains(body, "--") || strings.HasSuffix(body, "-") || len(s) > 128 || strings.ContainsFunc(s, bad) {
		return fmt.Errorf(`is no slice in jupyter.slice; it wants one such as "jupyter-lab.slice"`)
	}
	return nil
}

// addresses are systemd's words for addresses, and addresses.
func addresses(s string) error {
	if slices.Contains([]string{"any", "localhost", "link-local", "multicast"}, s) {
		return nil
	}
	return network(s)
}

func zeroOrSpan(least Duration) check[Duration] {
	return func(d Duration) error {
		if d == 0 {
			return nil
		}
		return spanAtLeast(least)(d)
	}
}

// The limits that can be raised up to a ceiling, with how each is read. What is read is written back the same way.
var ceilingOf = map[string]func(any) (any, error){
	"mem_limit":  ceilingSize,
	"mem_high":   ceilingSize,
	"cpu_limit":  func(v any) (any, error) { n, err := readReal(v); return n, errorOr(err, positive(n)) },
	"cpu_weight": ceilingCount,
	"io_weight":  ceilingCount,
	"tasks_max":  ceilingCount,
}

func ceilingSize(v any) (any, error) {
	n, err := readSize(v)
	return n, errorOr(err, positive(n))
}

func ceilingCount(v any) (any, error) {
	n, err := readCount(v)
	return n, errorOr(err, positive(n))
}

func positive[N ~int64 | ~float64](n N) error {
	if n > 0 {
		return nil
	}
	return fmt.Errorf("is %v; it wants the most that may be asked for", n)
}

func errorOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
