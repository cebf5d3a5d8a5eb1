package launcher

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
)

// The readers of lists. A single string counts as a list of one.

func texts(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case []string:
		return v, nil
	}
	return nil, fmt.Errorf(`wants a list of strings such as ["a", "b"], not %v`, value)
}

func asTexts(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	return one(name, list), nil
}

// asPaths reads absolute paths; "-" before one says that it may be missing, "+" that it is below the unit's root.
func asPaths(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if !absolute(strings.TrimLeft(p, "-+")) {
			return nil, fmt.Errorf("wants absolute paths, not %q", p)
		}
	}
	return one(name, list), nil
}

// filter is the bus's form of an allow list (Allow) or of a list of exceptions.
type filter struct {
	Allow bool
	Names []string
}

// asFilter reads ["@system-service", "~@resources @mount"]: what is allowed, and in the entries that begin with "~" what is
// not. An empty list is no filter: this is how a group or a profile takes away what holds for everyone else.
func asFilter(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var allow, deny []string
	for _, entry := range list {
		if rest, negative := strings.CutPrefix(entry, "~"); negative {
			deny = append(deny, strings.Fields(rest)...)
		} else {
			allow = append(allow, strings.Fields(entry)...)
		}
	}
	var all []sd.Property
	if len(allow) > 0 {
		all = append(all, prop(name, filter{true, allow}))
	}
	if len(deny) > 0 {
		all = append(all, prop(name, filter{false, deny}))
	}
	return all, nil
}

// namespaces are the kinds that RestrictNamespaces= knows, with their flags of clone(2).
var namespaces = map[string]uint64{
	"cgroup": unix.CLONE_NEWCGROUP, "ipc": unix.CLONE_NEWIPC, "mnt": unix.CLONE_NEWNS, "net": unix.CLONE_NEWNET,
	"pid": unix.CLONE_NEWPID, "user": unix.CLONE_NEWUSER, "uts": unix.CLONE_NEWUTS,
}

// asNamespaces reads true (no new namespaces), false (all), or the kinds that may be made.
func asNamespaces(name string, value any) ([]sd.Property, error) {
	var every, allowed uint64
	for _, flag := range namespaces {
		every |= flag
	}
	switch value {
	case true, "yes":
		return one(name, uint64(0)), nil
	case false, "no":
		return one(name, every), nil
	}
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(strings.Join(list, " ")) {
		flag, ok := namespaces[word]
		if !ok {
			return nil, fmt.Errorf("wants true, false or kinds of namespace such as \"user mnt\", not %q", word)
		}
		allowed |= flag
	}
	return one(name, allowed), nil
}

// capabilities are the kernel's, by number (capability.h).
var capabilities = strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID
	CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK
	CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT
	CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL
	CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
	CAP_CHECKPOINT_RESTORE`)

// asCapabilities reads the capabilities that set-uid programs may still gain; an empty list is none.
func asCapabilities(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var set uint64
	for _, word := range strings.Fields(strings.Join(list, " ")) {
		n := slices.Index(capabilities, word)
		if n < 0 {
			return nil, fmt.Errorf("wants names of capabilities, not %q", word)
		}
		set |= 1 << n
	}
	return one(name, set), nil
}

// asErrno reads the error that a forbidden system call returns, such as "EPERM".
func asErrno(name string, value any) ([]sd.Property, error) {
	for n := unix.Errno(1); n < 134; n++ {
		if unix.ErrnoName(n) == value {
			return one(name, int32(n)), nil
		}
	}
	return nil, fmt.Errorf(`wants the name of an error such as "EPERM", not %v`, value)
}

// mount is a path with options: the bus's form of TemporaryFileSystem=.
type mount struct{ Path, Options string }

func asMounts(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	mounts := make([]mount, 0, len(list))
	for _, entry := range list {
		path, options, _ := strings.Cut(entry, ":")
		if !absolute(path) {
			return nil, fmt.Errorf("wants absolute paths, not %q", entry)
		}
		mounts = append(mounts, mount{path, options})
	}
	return one(name, mounts), nil
}

// bind is the bus's form of BindPaths=: from, to, whether it may be missing, MS_REC or 0.
type bind struct {
	From, To string
	Optional bool
	Flags    uint64
}

// recursive is what BindPaths= does unless it says norbind.
const recursive = unix.MS_REC

// asBinds reads "/from", "/from:/to" or "/from:/to:norbind", each with "-" before it where it may be missing.
func asBinds(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	binds := make([]bind, 0, len(list))
	for _, entry := range list {
		rest, optional := strings.CutPrefix(entry, "-")
		parts := append(strings.Split(rest, ":"), "", "")
		b := bind{From: parts[0], To: parts[1], Optional: optional, Flags: recursive}
		if b.To == "" {
			b.To = b.From
		}
		if parts[2] == "norbind" {
			b.Flags = 0
		}
		if !absolute(b.From) || !absolute(b.To) || len(parts) > 5 {
			return nil, fmt.Errorf(`wants paths such as "/srv/data" or "/srv/data:/data", not %q`, entry)
		}
		binds = append(binds, b)
	}
	return one(name, binds), nil
}

// network is the bus's form of an address range.
type network struct {
	Family  int32
	Address []byte
	Bits    uint32
}

func (n network) String() string {
	a, _ := netip.AddrFromSlice(n.Address)
	return netip.PrefixFrom(a, int(n.Bits)).String()
}

// ranges are systemd's words for address ranges.
var ranges = map[string][]string{
	"any":        {"0.0.0.0/0", "::/0"},
	"localhost":  {"127.0.0.0/8", "::1/128"},
	"link-local": {"169.254.0.0/16", "fe80::/64"},
	"multicast":  {"224.0.0.0/4", "ff00::/8"},
}

// asNetworks reads "any", "localhost", addresses and address ranges.
func asNetworks(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var all []network
	for _, word := range strings.Fields(strings.Join(list, " ")) {
		some, ok := ranges[word]
		if !ok {
			some = []string{word}
		}
		for _, s := range some {
			n, err := parseNetwork(s)
			if err != nil {
				return nil, fmt.Errorf(`wants "any", "localhost" or addresses such as "10.0.0.0/8", not %q`, word)
			}
			all = append(all, n)
		}
	}
	return one(name, all), nil
}

func parseNetwork(s string) (network, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return network{}, fmt.Errorf("not an address: %q", s)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	family := int32(unix.AF_INET6)
	if p.Addr().Is4() {
		family = unix.AF_INET
	}
	return network{family, p.Masked().Addr().AsSlice(), uint32(p.Bits())}, nil
}

// maxCPU bounds the numbers that AllowedCPUs= takes: the kernel's own limit.
const maxCPU = 8192

// asCPUs reads CPU numbers and ranges such as "0-3 6" into the bus's bit map.
func asCPUs(name string, value any) ([]sd.Property, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var set []byte
	for _, word := range strings.FieldsFunc(strings.Join(list, " "), func(r rune) bool { return r == ' ' || r == ',' }) {
		low, high, isRange := strings.Cut(word, "-")
		if !isRange {
			high = low
		}
		first, err1 := strconv.ParseUint(low, 10, bits.Len(maxCPU))
		last, err2 := strconv.ParseUint(high, 10, bits.Len(maxCPU))
		if err1 != nil || err2 != nil || first > last || last >= maxCPU {
			return nil, fmt.Errorf(`wants CPUs such as "0-3 6", not %q`, word)
		}
		for n := first; n <= last; n++ {
			for len(set) <= int(n/8) {
				set = append(set, 0)
			}
			set[n/8] |= 1 << (n % 8)
		}
	}
	return one(name, set), nil
}
