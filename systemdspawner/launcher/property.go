package launcher

import (
	"maps"
	"slices"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"jupyterhubd/hub"
)

// reader turns the value of one property, as a configuration file holds it (string, int64, bool or []string), into what
// goes over the bus. Some need more than one: an allow list with exceptions, a limit with its soft part.
type reader func(name string, value any) ([]sd.Property, error)

// properties is every property that root's configuration may give to users' units, by its name in systemd.exec(5),
// systemd.resource-control(5), systemd.service(5) and systemd.kill(5). Unknown means no: systemd would take a few more, but
// an admin who wants them writes a drop-in for jupyter-.service, which systemd reads itself.
var properties = map[string]reader{
	"AllowedCPUs":             asCPUs,
	"AppArmorProfile":         asLabel,
	"BindPaths":               asBinds,
	"BindReadOnlyPaths":       asBinds,
	"CPUWeight":               asNumber[uint64](1, 10000),
	"CapabilityBoundingSet":   asCapabilities,
	"DevicePolicy":            asWord("auto", "closed", "strict"),
	"ExecPaths":               asPaths,
	"ExecStartPost":           asCommands,
	"ExecStartPre":            asCommands,
	"IOSchedulingPriority":    asNumber[int32](0, 7),
	"IOWeight":                asNumber[uint64](1, 10000),
	"IPAddressAllow":          asNetworks,
	"IPAddressDeny":           asNetworks,
	"InaccessiblePaths":       asPaths,
	"KeyringMode":             asWord("inherit", "private", "shared"),
	"LimitAS":                 asLimit,
	"LimitCORE":               asLimit,
	"LimitCPU":                asLimit,
	"LimitDATA":               asLimit,
	"LimitFSIZE":              asLimit,
	"LimitMEMLOCK":            asLimit,
	"LimitNOFILE":             asLimit,
	"LimitNPROC":              asLimit,
	"LimitSTACK":              asLimit,
	"LockPersonality":         asFlag,
	"LogLevelMax":             asLevel,
	"LogNamespace":            asText,
	"LogRateLimitBurst":       asNumber[uint32](0, 1<<31),
	"LogRateLimitIntervalSec": asSpan("LogRateLimitIntervalUSec"),
	"MemoryDenyWriteExecute":  asFlag,
	"MemoryHigh":              asBytes,
	"MemoryLow":               asBytes,
	"MemoryMin":               asBytes,
	"MemorySwapMax":           asBytes,
	"Nice":                    asNumber[int32](-20, 19),
	"NoExecPaths":             asPaths,
	"NoNewPrivileges":         asFlag,
	"OOMPolicy":               asWord("continue", "stop", "kill"),
	"OOMScoreAdjust":          asNumber[int32](-1000, 1000),
	"PrivateDevices":          asFlag,
	"PrivateIPC":              asFlag,
	"PrivateMounts":           asFlag,
	"PrivateNetwork":          asFlag,
	"PrivateTmp":              asFlag,
	"PrivateUsers":            asFlag,
	"ProcSubset":              asWord("all", "pid"),
	"ProtectClock":            asFlag,
	"ProtectControlGroups":    asFlag,
	"ProtectHome":             asWord("yes", "no", "read-only", "tmpfs"),
	"ProtectHostname":         asFlag,
	"ProtectKernelLogs":       asFlag,
	"ProtectKernelModules":    asFlag,
	"ProtectKernelTunables":   asFlag,
	"ProtectProc":             asWord("default", "noaccess", "invisible", "ptraceable"),
	"ProtectSystem":           asWord("yes", "no", "full", "strict"),
	"ReadOnlyPaths":           asPaths,
	"ReadWritePaths":          asPaths,
	"RemoveIPC":               asFlag,
	"RestrictAddressFamilies": asFilter,
	"RestrictNamespaces":      asNamespaces,
	"RestrictRealtime":        asFlag,
	"RestrictSUIDSGID":        asFlag,
	"RuntimeMaxSec":           asSpan("RuntimeMaxUSec"),
	"SELinuxContext":          asText,
	"SupplementaryGroups":     asTexts,
	"SystemCallArchitectures": asTexts,
	"SystemCallErrorNumber":   asErrno,
	"SystemCallFilter":        asFilter,
	"TemporaryFileSystem":     asMounts,
	"TimeoutStopSec":          asSpan("TimeoutStopUSec"),
	"UMask":                   asMode,
}

// reserved says, for properties that stand in no file of ours, who sets them or what would go wrong.
var reserved = map[string]string{
	"AmbientCapabilities": "would give every user a part of root's power",
	"CPUQuota":            "is set by cpu_limit",
	"DeviceAllow":         "is set by device_allow",
	"DynamicUser":         "would run servers as nobody's account",
	"Environment":         "is set by the table environment",
	"ExecStart":           "is set by cmd and args",
	"Group":               "is the account's own",
	"KillMode":            "is jupyterhub-spawnd's own",
	"LoadCredential":      "is jupyterhub-spawnd's own",
	"LogExtraFields":      "is how jupyterhub-spawnd knows its own units",
	"MemoryMax":           "is set by mem_limit",
	"PAMName":             "would move servers out of their units, and their limits would stop binding",
	"Slice":               "is set by group_slice",
	"TasksMax":            "is set by tasks_max",
	"Type":                "is jupyterhub-spawnd's own",
	"User":                "is the account's own",
	"WorkingDirectory":    "is the account's home directory",
}

// CheckProperty returns what is wrong with one property of the configuration, as the end of a sentence that begins with its
// name, or nil. Value is a string, an int64, a bool, or a list of strings ([]string, or []any as TOML has it). Of a property that the
// configuration takes away (""), the name alone is looked at.
func CheckProperty(name string, value any) error {
	if _, known := properties[name]; known && value == "" {
		return nil
	}
	_, err := property(name, value)
	return err
}

// property turns one property of the configuration into what goes over the bus.
func property(name string, value any) ([]sd.Property, error) {
	if why, ok := reserved[name]; ok {
		return nil, hub.Errorf(hub.Invalid, "cannot stand here: %s %s", name, why)
	}
	read, ok := properties[name]
	if !ok {
		return nil, hub.Errorf(hub.Invalid, "is not a property that servers can be given here; "+
			"a drop-in in /etc/systemd/system/jupyter-.service.d can set any")
	}
	return read(name, plainValue(value))
}

// plainValue turns TOML's []any into []string where it holds nothing else.
func plainValue(value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	texts := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return value
		}
		texts = append(texts, s)
	}
	return texts
}

// readAll turns a table of properties into what goes over the bus, in the order of the names.
func readAll(table map[string]any) ([]sd.Property, error) {
	var all []sd.Property
	for _, name := range slices.Sorted(maps.Keys(table)) {
		some, err := property(name, table[name])
		if err != nil {
			return nil, hub.Errorf(hub.Invalid, "%s %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// prop is one property as it goes over the bus. The Go type of value decides its D-Bus type.
func prop(name string, value any) sd.Property {
	return sd.Property{Name: name, Value: dbus.MakeVariant(value)}
}

func one(name string, value any) []sd.Property { return []sd.Property{prop(name, value)} }
