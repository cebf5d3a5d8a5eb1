package config

import (
	"fmt"
	"strings"
)

// Spawner is [spawner] and what stands below it. Policy holds for everyone; groups, users and profiles say what differs.
type Spawner struct {
	StartTimeout Duration
	HTTPTimeout  Duration

	ServerTokenScopes        []string
	OAuthClientAllowedScopes []string
	SleepAfter               Duration // 0: never
	BusyCPU                  float64  // CPUs; 0: whatever it does
	Policy
	Groups   map[string]Overlay // by NSS group
	Users    map[string]Overlay // by account
	Profiles []Profile          // in the order of the files
}

// Policy is how one server runs.
type Policy struct {
	Cmd                 []string
	Args                []string
	SearchPath          []string
	Environment         map[string]string
	DefaultURL          string
	NotebookDir         string
	DisableUserConfig   bool
	TCP                 bool
	MemLimit            Bytes   // 0: none
	CPULimit            float64 // CPUs; 0: none
	TasksMax            int64   // 0: none
	GroupSlice          bool
	DeviceAllow         []string
	Sandbox             map[string]any
	UnitExtraProperties map[string]any

	// SliceGroup is the group whose slice the server goes into, or "" for the user's own. PolicyFor finds it: the last of
	// the user's groups that says group_slice.
	SliceGroup string
}

var spawnerOptions = []row[Spawner]{
	option("start_timeout", span, seconds(60), func(s *Spawner) *Duration { return &s.StartTimeout },
		"The one deadline of a start: from the server's turn in line until it is ready.", spanAtLeast(seconds(1))),
	option("http_timeout", span, seconds(30), func(s *Spawner) *Duration { return &s.HTTPTimeout },
		"How long a server may take from having made its socket to its first answer, within start_timeout.", spanAtLeast(seconds(1))),
	option("server_token_scopes", texts, nil, func(s *Spawner) *[]string { return &s.ServerTokenScopes },
		"Scopes of a server's own token, as far as its user has them; empty is those of the role server.").applies(AtStart).
		note("\"!server\" and \"!user\" mean the server and its user. It may always report activity."),
	option("oauth_client_allowed_scopes", texts, nil, func(s *Spawner) *[]string { return &s.OAuthClientAllowedScopes },
		"Scopes that a server may ask its visitors for, besides who they are and that they may enter.").applies(AtStart),
	option("sleep_after", span, 0, func(s *Spawner) *Duration { return &s.SleepAfter },
		"How long a server is idle until it is frozen; the next request wakes it, kernels and all; 0 is never.").
		note("Where the kernel cannot freeze (jupyterhub doctor says so), an idle server is stopped instead. The culler's timeout, if it is longer, stops servers that sleep."),
	option("busy_cpu", real, 0.1, func(s *Spawner) *float64 { return &s.BusyCPU },
		"CPUs that a server uses on average when it is taken to be at work, whether anybody watches or not; 0 does not ask.", realWithin(0, 1024)).
		note("Looked at every five minutes; it moves last_activity, so that neither sleep_after nor a culler ends a computation."),
}

// policyOptions can also stand in [spawner.group.X], [spawner.user.X] and [[spawner.profile]].
var policyOptions = each(AtStart, []row[Policy]{
	option("cmd", texts, []string{"jupyterhub-singleuser"}, func(p *Policy) *[]string { return &p.Cmd },
		"Command of a user's server; a name without a slash is looked up in search_path.", notEmpty).
		note("The program must be a file that nobody but root can write, in directories that nobody but root can write."),
	option("args", texts, nil, func(p *Policy) *[]string { return &p.Args },
		"Further arguments of the command; {username}, {home} and {socket} are filled in."),
	option("search_path", texts, []string{"/opt/jupyterhub/bin", "/usr/local/bin", "/usr/bin", "/bin"},
		func(p *Policy) *[]string { return &p.SearchPath },
		"Directories in which cmd is looked up; also the server's PATH.", every(absolute)),
	option("environment", names, nil, func(p *Policy) *map[string]string { return &p.Environment },
		"Variables that servers get besides their own; everybody on the machine may see them.", variables).
		note("{username} and {home} are filled in."),
	option("default_url", text, "/lab", func(p *Policy) *string { return &p.DefaultURL },
		"Page of the server that opens first; \"/tree\" is the classic notebook.", emptyOr(urlPath)),
	option("notebook_dir", text, "", func(p *Policy) *string { return &p.NotebookDir },
		"Top directory of the file browser; \"~\" begins the home directory, empty is the home directory.").
		note("{username} and {home} are filled in."),
	option("disable_user_config", boolean, false, func(p *Policy) *bool { return &p.DisableUserConfig },
		"Ignore Jupyter configuration files in the home directory."),
	option("tcp", boolean, false, func(p *Policy) *bool { return &p.TCP },
		"For programs that cannot listen on a Unix socket: cmd listens on {port} of 127.0.0.1, and its unit stands in for it at the socket.").
		note("jupyterhub-exec chooses a free port, puts it for {port} in cmd and args, and says it in JUPYTERHUB_SERVICE_URL. The port is " +
			"open to every account of this machine: the program has to ask who comes."),

	option("mem_limit", size, 2<<30, func(p *Policy) *Bytes { return &p.MemLimit },
		"Memory that one server may use (MemoryMax=); 0 is no limit.", zeroOr(64<<20, Bytes.String)),
	option("cpu_limit", real, 2, func(p *Policy) *float64 { return &p.CPULimit },
		"CPUs that one server may use (CPUQuota=); 0 is no limit.", cpus),
	option("tasks_max", count, 1024, func(p *Policy) *int64 { return &p.TasksMax },
		"Processes and threads of one server (TasksMax=); 0 is systemd's default.", zeroOr(32, func(n int64) string { return fmt.Sprint(n) })),
	option("group_slice", boolean, false, func(p *Policy) *bool { return &p.GroupSlice },
		"In [spawner.group.X]: members' servers share one slice, jupyter-group_X.slice, and the limits that it is given.").
		note("Otherwise each user's servers are in a slice of the user's own, jupyter-user_NAME.slice."),
	option("device_allow", texts, nil, func(p *Policy) *[]string { return &p.DeviceAllow },
		"Devices that servers may use besides the harmless ones, such as \"/dev/nvidia*\".", every(device)).
		note("Classes such as \"char-drm\" too. With any of them PrivateDevices gives way to a list of devices (DevicePolicy=closed)."),
	option("sandbox", properties, defaultSandbox(), func(p *Policy) *map[string]any { return &p.Sandbox },
		"What the kernel keeps from servers, as properties of systemd.exec(5); a key here replaces that key alone.", propertyNames).
		note("An empty value leaves a property out: PrivateDevices = \"\". By default systemctl, loginctl and hostnamectl do not work in " +
			"JupyterLab's terminal: the system bus is not seen."),
	option("unit_extra_properties", properties, nil, func(p *Policy) *map[string]any { return &p.UnitExtraProperties },
		"Further properties of a server's unit, as in systemd.exec(5) and systemd.resource-control(5).", propertyNames),
})

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

// sandboxed is one property of the default sandbox with its reason.
type sandboxed struct {
	property string
	value    any
	reason   string
}

// sandbox is the default. A JupyterLab with kernel, terminal, `pip install --user`, a Node language server and matplotlib
// works inside it: the system tests hold that. What is left out, and why: MemoryDenyWriteExecute breaks Node;
// RestrictSUIDSGID breaks `chmod g+s` on the directories that colleagues share; PrivateUsers shows their files as nobody's;
// RemoveIPC reaches into the user's other sessions.
var sandbox = []sandboxed{
	{"InaccessiblePaths", []any{"-/run/dbus/system_bus_socket", "-/run/user"}, "a user manager, had by enable-linger or ssh, runs things beside the limits"},
	{"LockPersonality", true, "old emulations of the kernel have holes of their own"},
	{"NoNewPrivileges", true, "sudo and other set-uid programs gain nothing"},
	{"PrivateDevices", true, "no disks, no GPUs; device_allow lets some in"},
	{"PrivateTmp", true, "/tmp is the server's own"},
	{"ProtectClock", true, "the clock is the machine's"},
	{"ProtectControlGroups", true, "limits cannot be lifted from inside"},
	{"ProtectHostname", true, "the host name is the machine's"},
	{"ProtectKernelLogs", true, "kernel messages tell of other people's processes"},
	{"ProtectKernelModules", true, "no kernel code from users"},
	{"ProtectKernelTunables", true, "/proc/sys and /sys are the machine's"},
	{"ProtectProc", "invisible", "other people's processes are not seen"},
	{"ProtectSystem", "full", "/usr, /boot and /etc are read-only; \"strict\" makes all but home and /tmp so"},
	{"RestrictAddressFamilies", []any{"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}, "without AF_NETLINK kernels never connect"},
	{"RestrictNamespaces", true, "a new user namespace opens most of the kernel's past holes"},
	{"RestrictRealtime", true, "a real-time loop would stop the machine"},
	{"SystemCallArchitectures", "native", "the 32-bit entry has holes of its own"},
	{"SystemCallErrorNumber", "EPERM", "a call that is not allowed fails; without this it kills, and Node does not start"},
	{"SystemCallFilter", []any{"@system-service"}, "no calls that only system managers need"},
}

func defaultSandbox() map[string]any {
	m := make(map[string]any, len(sandbox))
	for _, s := range sandbox {
		m[s.property] = s.value
	}
	return m
}

// profileOptions are the keys of a [[spawner.profile]] that no other table has.
var profileOptions = each(AtStart, []row[Profile]{
	option("name", text, "", func(p *Profile) *string { return &p.Name },
		"What the profile is called in addresses and in the API; must be there.", profileName),
	option("display_name", text, "", func(p *Profile) *string { return &p.DisplayName },
		"What people see; empty is the name."),
	option("description", text, "", func(p *Profile) *string { return &p.Description },
		"A sentence below it."),
	option("allowed_groups", texts, nil, func(p *Profile) *[]string { return &p.AllowedGroups },
		"Groups of the system whose members may choose it; with allowed_users empty too, everyone.", every(accountName)),
	option("allowed_users", texts, nil, func(p *Profile) *[]string { return &p.AllowedUsers },
		"Accounts that may choose it.", every(accountName)),
	option("sleep_after", span, 0, func(p *Profile) *Duration { return &p.SleepAfter },
		"As in [spawner], for servers of this profile; 0 is what [spawner] says."),
	option("start_at_boot", boolean, false, func(p *Profile) *bool { return &p.StartAtBoot },
		"Start servers of this profile again that ran when the machine went down."),
})

func profileName(s string) error {
	if !bare(s) || len(s) > 64 {
		return fmt.Errorf(`is %q; it wants letters, digits, - and _, such as "gpu"`, s)
	}
	return nil
}
