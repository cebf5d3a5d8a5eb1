package config

import "maps"

// sandboxed is one property of a sandbox with its reason.
type sandboxed struct {
	property string
	value    any
	reason   string
}

// sandbox is the default: what keeps from servers what an account could do otherwise, chosen by what it costs a start. What an account
// without capabilities, and without a way to any, is refused by the kernel anyhow stands in strict. A JupyterLab with kernel,
// terminal, `pip install --user`, a Node language server and matplotlib works inside it: the system tests hold that. What is left out of both,
// and why: MemoryDenyWriteExecute breaks Node; RestrictSUIDSGID breaks `chmod g+s` on the directories that colleagues share;
// PrivateUsers shows their files as nobody's; RemoveIPC reaches into the user's other sessions.
var sandbox = []sandboxed{
	{"DevicePolicy", "closed", "no disks, no GPUs, no kernel log: /dev/null and its like alone can be opened; device_allow lets some in"},
	{"InaccessiblePaths", []any{"-/run/dbus/system_bus_socket", "-/run/user"},
		"a user manager, had by enable-linger or ssh, runs things beside the limits"},
	{"LockPersonality", true, "old emulations of the kernel have holes of their own"},
	{"NoNewPrivileges", true, "sudo and other set-uid programs gain nothing, and no capability is in reach"},
	{"PrivateTmp", true, "/tmp is the server's own"},
	{"ProtectControlGroups", true, "with control groups of version 1 processes could move out of the unit, to where a user's ssh session is"},
	{"ProtectProc", "invisible", "other people's processes are not seen"},
	{"ProtectSystem", "full", "/usr, /boot and /etc are read-only; \"strict\" makes all but home and /tmp so"},
	{"RestrictAddressFamilies", []any{"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}, "without AF_NETLINK kernels never connect"},
	{"RestrictNamespaces", true, "a new user namespace opens most of the kernel's past holes"},
	{"SystemCallArchitectures", "native", "the 32-bit entry has holes of its own"},
	{"SystemCallErrorNumber", "EPERM", "a call that is not allowed fails; without this it kills, and Node does not start"},
	{"SystemCallFilter", []any{"~@cpu-emulation @debug @mount @obsolete", "~bpf fanotify_init fanotify_mark io_uring_enter io_uring_register io_uring_setup " +
		"landlock_add_rule landlock_create_ruleset landlock_restrict_self memfd_secret mincore open_by_handle_at pkey_alloc pkey_free pkey_mprotect " +
		"process_mrelease quotactl quotactl_fd seccomp syslog userfaultfd"},
		"of the calls that servers do not need, those that the kernel would let any account make"},
}

// strict is what else the strict sandbox has, or has instead: a second lock where the kernel has one already.
var strict = []sandboxed{
	{"InaccessiblePaths", []any{"-/run/dbus/system_bus_socket", "-/run/user", "-+/proc/kallsyms", "-+/proc/kcore"},
		"the kernel shows its addresses to root alone, unless a sysctl says otherwise"},
	{"PrivateDevices", true, "other devices are not even seen"},
	{"ProtectClock", true, "the clock is the machine's"},
	{"ProtectHostname", true, "the host name is the machine's"},
	{"ProtectKernelLogs", true, "kernel messages tell of other people's processes"},
	{"ProtectKernelModules", true, "no kernel code from users"},
	{"ReadOnlyPaths", []any{"-+/proc/sys", "-+/sys"}, "they are the machine's; ProtectKernelTunables adds places that are root's anyway, and makes starts much longer"},
	{"RestrictRealtime", true, "a real-time loop would stop the machine"},
	{"SystemCallFilter", []any{"@system-service"}, "calls that a kernel has yet to learn are refused as well"},
}

// Sandbox returns a set of properties by its name, "default" or "strict", or nil.
func Sandbox(name string) map[string]any {
	m := make(map[string]any, len(sandbox)+len(strict))
	for _, s := range sandbox {
		m[s.property] = s.value
	}
	switch name {
	case "strict":
		for _, s := range strict {
			m[s.property] = s.value
		}
	case "default":
		for _, s := range strict { // takes away what a table before this one had of it
			if _, both := m[s.property]; !both {
				m[s.property] = ""
			}
		}
	default:
		return nil
	}
	return m
}

// sandboxes is the kind of the option: properties, once what is named is written out.
var sandboxes = kind[map[string]any]{properties.name, readSandbox, properties.write, properties.merge}

func readSandbox(v any) (map[string]any, error) {
	if _, isTable := v.(map[string]any); !isTable {
		return nil, wrongType(v, `"default", "strict", or a table such as { PrivateTmp = true }`)
	}
	return readProperties(v)
}

// defaultSandbox is what holds where nothing is said.
func defaultSandbox() map[string]any {
	m := Sandbox("default")
	maps.DeleteFunc(m, leftOut)
	return m
}

// sandboxBase is the key of a table that names the set of properties which the table changes.
const sandboxBase = "base"

// fullSandbox writes out a sandbox that is named: "strict", or { base = "strict", PrivateTmp = false }.
func fullSandbox(value any) any {
	if name, is := value.(string); is && Sandbox(name) != nil {
		return Sandbox(name)
	}
	table, _ := value.(map[string]any)
	name, _ := table[sandboxBase].(string)
	set := Sandbox(name)
	if set == nil {
		return value
	}
	maps.Copy(set, table)
	delete(set, sandboxBase)
	return set
}
