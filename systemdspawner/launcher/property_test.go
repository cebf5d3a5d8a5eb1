package launcher

import (
	"maps"
	"slices"
	"testing"
)

// samples has a value for every property that a configuration can give, with the type and the value that go over the bus.
// The system tests hand each of them to a real systemd.
var samples = map[string]struct {
	value any
	sent  string
}{
	"AllowedCPUs":             {"0-2 9", "ay @ay [0x7, 0x2]"},
	"AppArmorProfile":         {"-jupyter", `(bs) (true, "jupyter",)`},
	"BindPaths":               {[]any{"/srv/data", "-/srv/a:/b:norbind"}, `a(ssbt) @a(ssbt) [("/srv/data", "/srv/data", false, 16384,), ("/srv/a", "/b", true, 0,)]`},
	"BindReadOnlyPaths":       {"/srv/data:/data", `a(ssbt) @a(ssbt) [("/srv/data", "/data", false, 16384,)]`},
	"CPUWeight":               {int64(50), "t @t 50"},
	"CapabilityBoundingSet":   {"CAP_CHOWN CAP_CHECKPOINT_RESTORE", "t @t 1099511627777"},
	"DevicePolicy":            {"closed", `s "closed"`},
	"ExecStartPost":           {"-/bin/true", `a(sasb) [("/bin/true", ["/bin/true"], true,)]`},
	"ExecStartPre":            {[]any{"/bin/true a {x}", "/bin/true"}, `a(sasb) [("/bin/true", ["/bin/true", "a", "{x}"], false,), ("/bin/true", ["/bin/true"], false,)]`},
	"ExecPaths":               {[]any{"/usr"}, `as ["/usr"]`},
	"IOSchedulingPriority":    {int64(7), "i 7"},
	"IOWeight":                {int64(10), "t @t 10"},
	"IPAddressAllow":          {[]any{"localhost", "10.1.2.3/8"}, ""},
	"IPAddressDeny":           {"any", ""},
	"InaccessiblePaths":       {[]any{"-/srv/secret"}, `as ["-/srv/secret"]`},
	"KeyringMode":             {"private", `s "private"`},
	"LimitAS":                 {"infinity", "t @t 18446744073709551615 t @t 18446744073709551615"},
	"LimitCORE":               {int64(0), "t @t 0 t @t 0"},
	"LimitCPU":                {int64(3600), "t @t 3600 t @t 3600"},
	"LimitDATA":               {"8G", "t @t 8589934592 t @t 8589934592"},
	"LimitFSIZE":              {"1T", "t @t 1099511627776 t @t 1099511627776"},
	"LimitMEMLOCK":            {"64K", "t @t 65536 t @t 65536"},
	"LimitNOFILE":             {"1024:65536", "t @t 65536 t @t 1024"},
	"LimitNPROC":              {int64(512), "t @t 512 t @t 512"},
	"LimitSTACK":              {"8M", "t @t 8388608 t @t 8388608"},
	"LockPersonality":         {true, "b true"},
	"LogLevelMax":             {"info", "i 6"},
	"LogNamespace":            {"jupyter", `s "jupyter"`},
	"LogRateLimitBurst":       {int64(500), "u @u 500"},
	"LogRateLimitIntervalSec": {"30s", "t @t 30000000"},
	"MemoryDenyWriteExecute":  {false, "b false"},
	"MemoryHigh":              {"3G", "t @t 3221225472"},
	"MemoryLow":               {int64(1000), "t @t 1000"},
	"MemoryMin":               {int64(0), "t @t 0"},
	"MemorySwapMax":           {"infinity", "t @t 18446744073709551615"},
	"Nice":                    {int64(-5), "i -5"},
	"NoExecPaths":             {"/home", `as ["/home"]`},
	"NoNewPrivileges":         {"yes", "b true"},
	"OOMPolicy":               {"stop", `s "stop"`},
	"OOMScoreAdjust":          {int64(200), "i 200"},
	"PrivateDevices":          {true, "b true"},
	"PrivateIPC":              {true, "b true"},
	"PrivateMounts":           {true, "b true"},
	"PrivateNetwork":          {true, "b true"},
	"PrivateTmp":              {"no", "b false"},
	"PrivateUsers":            {true, "b true"},
	"ProcSubset":              {"pid", `s "pid"`},
	"ProtectClock":            {true, "b true"},
	"ProtectControlGroups":    {true, "b true"},
	"ProtectHome":             {true, `s "yes"`},
	"ProtectHostname":         {true, "b true"},
	"ProtectKernelLogs":       {true, "b true"},
	"ProtectKernelModules":    {true, "b true"},
	"ProtectKernelTunables":   {true, "b true"},
	"ProtectProc":             {"invisible", `s "invisible"`},
	"ProtectSystem":           {"strict", `s "strict"`},
	"ReadOnlyPaths":           {[]any{"/srv"}, `as ["/srv"]`},
	"ReadWritePaths":          {[]any{"-/srv/x"}, `as ["-/srv/x"]`},
	"RemoveIPC":               {false, "b false"},
	"RestrictAddressFamilies": {[]any{"AF_UNIX", "AF_INET"}, `(bas) (true, ["AF_UNIX", "AF_INET"],)`},
	"RestrictNamespaces":      {"user mnt", "t @t 268566528"},
	"RestrictRealtime":        {true, "b true"},
	"RestrictSUIDSGID":        {true, "b true"},
	"RuntimeMaxSec":           {"8h", "t @t 28800000000"},
	"SELinuxContext":          {"user_u:user_r:user_t:s0", `s "user_u:user_r:user_t:s0"`},
	"SupplementaryGroups":     {[]any{"video"}, `as ["video"]`},
	"SystemCallArchitectures": {"native", `as ["native"]`},
	"SystemCallErrorNumber":   {"EPERM", "i 1"},
	"SystemCallFilter":        {[]any{"@system-service", "~@keyring @mount"}, `(bas) (true, ["@system-service"],) (bas) (false, ["@keyring", "@mount"],)`},
	"TemporaryFileSystem":     {"/srv:ro,size=1M", `a(ss) [("/srv", "ro,size=1M",)]`},
	"TimeoutStopSec":          {int64(90), "t @t 90000000"},
	"UMask":                   {"0077", "u @u 63"},
}

func TestEveryPropertyIsReadAsItsTypeOnTheBus(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		sample, ok := samples[name]
		if !ok {
			t.Errorf("%s has no sample", name)
			continue
		}
		all, err := property(name, sample.value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for i, p := range all {
			if i > 0 {
				got += " "
			}
			got += p.Value.Signature().String() + " " + p.Value.String()
		}
		if got != sample.sent && sample.sent != "" {
			t.Errorf("%s=%v goes as %s, want %s", name, sample.value, got, sample.sent)
		}
	}
}

func TestMistakesInPropertiesAreSaid(t *testing.T) {
	for name, values := range map[string][]any{
		"PrivateTmp":              {"maybe", int64(1), nil, []any{true}},
		"ProtectSystem":           {"everything", int64(3)},
		"Nice":                    {"5", int64(20), 1.5},
		"MemoryHigh":              {"2GB", "G", "-1", int64(-1), "99999999999T", "50%"},
		"LimitNOFILE":             {"5:1", "a:b", ":"},
		"RuntimeMaxSec":           {"8 hours", int64(-1), "-5s"},
		"UMask":                   {"9", int64(22), "07777"},
		"LogLevelMax":             {"loud"},
		"ReadWritePaths":          {"relative", []any{"/ok", ""}, "/a\nb"},
		"BindPaths":               {"a:b", "/a:/b:rbind:x", "/a:b"},
		"TemporaryFileSystem":     {"srv"},
		"RestrictNamespaces":      {"all"},
		"CapabilityBoundingSet":   {"CAP_EVERYTHING", int64(3)},
		"SystemCallErrorNumber":   {"EWHATEVER", int64(1)},
		"IPAddressDeny":           {"example.org", "10.0.0.0/99", "fe80::1%eth0"},
		"AllowedCPUs":             {"3-1", "x", "99999"},
		"AppArmorProfile":         {int64(1)},
		"LogNamespace":            {true},
		"RestrictAddressFamilies": {int64(1)},
		"SupplementaryGroups":     {map[string]any{}},
		"ExecStartPre":            {"true", "/bin/echo $HOME", "+/bin/true", "!/bin/true", "/bin/sh -c 'x'", `/bin/a\x20b`, " ", int64(1), []any{"/bin/true", "-"}},
		"PAMName":                 {"login", ""},
		"NoSuchProperty":          {true, ""},
	} {
		for _, v := range values {
			if err := CheckProperty(name, v); err == nil {
				t.Errorf("%s=%#v was accepted", name, v)
			}
		}
	}
	if err := CheckProperty("ReadOnlyPaths", ""); err != nil {
		t.Errorf("what is taken away: %v", err)
	}
}

func TestReservedAndKnownPropertiesDoNotOverlap(t *testing.T) {
	for name := range reserved {
		if properties[name] != nil {
			t.Errorf("%s is both", name)
		}
	}
}
