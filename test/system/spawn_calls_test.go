package system

import (
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub/config"
)

// forAdmins are the calls outside systemd's @system-service that the default sandbox lets through: for each the kernel wants a capability, of
// which a server has none. (Two of them also read the clock, which everybody may.)
var forAdmins = strings.Fields(`acct adjtimex clock_adjtime clock_settime delete_module finit_module init_module ioperm iopl kexec_file_load
	kexec_load reboot setdomainname sethostname settimeofday swapoff swapon vhangup`)

// forAll are calls that are younger than the list of systemd 252, and no more than what everybody may by older ones: futex and mmap.
var forAll = strings.Fields("futex_requeue futex_wait futex_wake map_shadow_stack")

// Vulnerability: a list of what is refused forgets a call that any account can make, and that few programs need: a hole of the kernel's in
// reach. Attack: each call of this machine that the strict sandbox's list does not allow.
// Verified: the default one refuses it, or the kernel wants a capability for it.
func TestTheSandboxRefusesWhatNeedsNoCapability(t *testing.T) {
	s := onStage(t)
	groups := callGroups(s.run("systemd-analyze", "--no-pager", "syscall-filter"))
	here := strings.Fields(s.run("sh", "-c", `/usr/bin/python3 - <<'END'
import ctypes
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
lib.seccomp_arch_native.restype = ctypes.c_uint32
for n in range(1024):
    name = lib.seccomp_syscall_resolve_num_arch(ctypes.c_uint32(lib.seccomp_arch_native()), n)
    if name: print(ctypes.string_at(name).decode())
END`))
	if len(here) < 200 {
		t.Fatalf("this machine has the calls %v", here)
	}
	known := slices.Concat(groups.all("@system-service"), forAdmins, forAll)
	for _, entry := range config.Default().Spawner.Sandbox["SystemCallFilter"].([]any) {
		for _, name := range strings.Fields(strings.TrimPrefix(entry.(string), "~")) {
			known = append(known, groups.all(name)...)
		}
	}
	for _, call := range here {
		if slices.Contains(groups.all("@known"), call) && !slices.Contains(known, call) {
			t.Errorf("the sandbox lets %s through, which no capability guards", call)
		}
	}
}

// calls are groups of system calls by their names.
type calls map[string][]string

// callGroups reads what systemd-analyze says of them.
func callGroups(text string) calls {
	groups, name := calls{}, ""
	for line := range strings.Lines(text) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			name = word
		case word != "" && !strings.HasPrefix(word, "#"):
			groups[name] = append(groups[name], word)
		case strings.HasPrefix(line, "#"):
			return groups // what follows are calls that are in no group
		}
	}
	return groups
}

// all returns the calls of a group and of the groups in it, or the call of that name.
func (c calls) all(name string) []string {
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	var names []string
	for _, n := range c[name] {
		names = append(names, c.all(n)...)
	}
	return names
}
