package system

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Every option of root's file that becomes a property is read back from the unit that runs with it.
func TestEveryOptionReachesTheUnit(t *testing.T) {
	s := onStage(t)
	s.run("mkdir", "-p", "/srv/course", "/srv/work", "/srv/bound", "/srv/read")
	s.run("chmod", "a+w", "/srv/course", "/srv/work")
	s.probed(`
user_workingdir = "/srv/work"
default_shell = "/bin/sh"
extra_paths = ["/srv/course/bin", "{home}/bin"]
isolate_tmp = false
isolate_devices = false
disable_user_sudo = false
readonly_paths = ["/srv/course", "-/srv/{username}"]
readwrite_paths = ["-/srv/work"]
mem_limit = "512M"
mem_high = "400M"
mem_guarantee = "64M"
swap_limit = "0"
cpu_limit = 1.5
cpu_guarantee = 0.5
io_weight = 70
tasks_max = 200
runtime_max = "8h"
ip_address_allow = ["localhost", "10.0.0.0/8"]
ip_address_deny = ["any"]
device_allow = ["/dev/fuse*", "char-pts"]
notebook_dir = "~/work"
default_url = "/tree"
disable_user_config = true
environment = { COURSE = "of {username}" }
unit_extra_properties = { Nice = 3, LimitNOFILE = "1024:4096", SupplementaryGroups = ["games", "audio"], BindPaths = "/srv/work:/srv/bound", BindReadOnlyPaths = ["/srv/course:/srv/read", "-/srv/none"], OOMScoreAdjust = 100, UMask = "0027" }
`, "alice")
	s.start(alice)
	unit := hub.UnitName(alice)
	home := s.run("sh", "-c", "echo ~alice")
	for property, want := range map[string]string{
		"WorkingDirectory": "/srv/work", "PrivateTmp": "no", "PrivateDevices": "no", "NoNewPrivileges": "no",
		"ReadOnlyPaths": "/srv/course -/srv/alice", "ReadWritePaths": "-/srv/work",
		"MemoryMax": "536870912", "MemoryHigh": "419430400", "MemoryMin": "67108864", "MemorySwapMax": "0",
		"CPUQuotaPerSecUSec": "1.500000s", "CPUWeight": "50", "IOWeight": "70", "TasksMax": "200", "RuntimeMaxUSec": "8h",
		"IPAddressAllow": "127.0.0.0/8 ::1/128 10.0.0.0/8", "IPAddressDeny": "0.0.0.0/0 ::/0",
		"DevicePolicy": "closed", "Nice": "3", "LimitNOFILE": "4096", "LimitNOFILESoft": "1024", "SupplementaryGroups": "games audio",
		"OOMScoreAdjust": "100", "UMask": "0027", "Slice": "jupyter-user_alice.slice", "OOMPolicy": "continue",
		"MemoryAccounting": "yes", "CPUAccounting": "yes", "TasksAccounting": "yes", "IOAccounting": "yes",
	} {
		if got := s.property(unit, property); sorted(got) != sorted(want) {
			t.Errorf("%s is %q, want %q", property, got, want)
		}
	}
	if got := s.property(unit, "DeviceAllow"); !strings.Contains(got, "char-pts rw") {
		t.Errorf("DeviceAllow is %q", got)
	}
	told := s.can(alice, `echo "$PWD|$SHELL|$MEM_LIMIT|$MEM_GUARANTEE|$CPU_LIMIT|$CPU_GUARANTEE|$JUPYTERHUB_ROOT_DIR|$JUPYTERHUB_DEFAULT_URL|$JUPYTERHUB_DISABLE_USER_CONFIG|$COURSE|$PATH"`)
	want := "/srv/work|/bin/sh|536870912|67108864|1.5|0.5|~/work|/tree|1|of alice|/srv/course/bin:" + home + "/bin:"
	if !strings.HasPrefix(told, want) {
		t.Errorf("the server is told %q\nwant %q", told, want)
	}
	s.can(alice, "touch /srv/bound/x && test -e /srv/work/x")
	s.cannot(alice, "touch /srv/read/x")
	// The kernel keeps of a promise what each group above may keep.
	for _, slice := range []string{"jupyter.slice", "jupyter-user_alice.slice"} {
		if got := s.property(slice, "MemoryMin"); got != "67108864" {
			t.Errorf("%s protects %s", slice, got)
		}
	}
	if until := s.unit(alice).Until; until.Sub(s.unit(alice).Since).Hours() != 8 {
		t.Errorf("it is said to end at %s", until)
	}
}

// What systemdspawner's own tests ask of unit_extra_properties, lists of commands among it, and of slice: commands run before the
// server, as its user and in its limits, one that may fail does not end the start, and one that may not does.
func TestCommandsBeforeAServer(t *testing.T) {
	s := onStage(t)
	s.afterwards("sh", "-c", "rm -f ~alice/before-alice")
	extra := func(commands string) string {
		return "slice = \"jupyter-course.slice\"\nunit_extra_properties = { ExecStartPre = [" + commands + "] }"
	}
	s.probed(extra(`"-/bin/false", "/usr/bin/touch {home}/before-{username}", "/usr/bin/test -f {home}/before-alice"`), "alice")
	s.start(alice)
	if owner := s.run("sh", "-c", "stat --format=%U ~alice/before-alice"); owner != "alice" {
		t.Errorf("what ran before belongs to %s", owner)
	}
	if got := s.property(hub.UnitName(alice), "Slice"); got != "jupyter-course.slice" {
		t.Errorf("it is in %s", got)
	}
	if s.can(alice, "echo $JUPYTERHUB_USER") != "alice" {
		t.Error("the server does not know who it is")
	}
	s.run("systemctl", "daemon-reload")
	if story := s.Journal(s.ctx, hub.UnitName(alice)); strings.Contains(story, ", ignoring") {
		t.Errorf("systemd complains of the unit:\n%s", story)
	}
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
	s.probed(extra(`"/bin/false"`), "alice")
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{}); err == nil {
		s.becomes(alice, hub.Failed)
	}
}

// sorted makes lists comparable that systemd keeps in an order of its own.
func sorted(words string) string {
	list := strings.Fields(words)
	for i := range list {
		for j := range i {
			if list[i] < list[j] {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return strings.Join(list, " ")
}

// A user's servers share what her slice may use, and the members of a group what the group's may.
func TestSlicesAreShared(t *testing.T) {
	s := onStage(t)
	s.run("groupadd", "--force", "course")
	s.run("usermod", "--append", "--groups", "course", "alice")
	s.afterwards("gpasswd", "--delete", "alice", "course")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure(`[spawner]
cmd = ["probe-singleuser"]
user_mem_limit = "1G"
user_cpu_limit = 1.0
user_tasks_max = 300
[spawner.group.course]
group_slice = true
group_mem_limit = "3G"
group_cpu_weight = 40
group_tasks_max = 900
`)
	s.start(alice)
	s.start(bob)
	for slice, want := range map[string]string{
		"jupyter-group_course.slice":            "3221225472 infinity 40 900",
		"jupyter-group_course-user_alice.slice": "1073741824 1s [not set] 300",
		"jupyter-user_bob.slice":                "1073741824 1s [not set] 300",
	} {
		got := strings.Join([]string{s.property(slice, "MemoryMax"), s.property(slice, "CPUQuotaPerSecUSec"), s.property(slice, "CPUWeight"), s.property(slice, "TasksMax")}, " ")
		if got != want {
			t.Errorf("%s has %s, want %s", slice, got, want)
		}
	}
	if got := s.property(hub.UnitName(alice), "ControlGroup"); got != "/jupyter.slice/jupyter-group_course.slice/jupyter-group_course-user_alice.slice/jupyter-alice.service" {
		t.Errorf("alice's server is in %s", got)
	}
	// What is not said any more does not hold any more, from the next start on.
	if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(bob, hub.Stopped)
	s.configure("[spawner]\ncmd = [\"probe-singleuser\"]\n")
	s.start(bob)
	if got := s.property("jupyter-user_bob.slice", "MemoryMax"); got != "infinity" {
		t.Errorf("bob's slice has %s", got)
	}
}

// Limits of a server that runs: lowered, raised up to what root's file says, kept for good, and given back.
func TestLimitsChangeLive(t *testing.T) {
	s := onStage(t)
	s.probed("mem_limit = \"512M\"\nmax = { mem_limit = \"1G\" }", "alice")
	s.start(alice)
	unit, pid := hub.UnitName(alice), s.mainPID(hub.UnitName(alice))
	limit := func(change *hub.Limits, forGood bool) (hub.Limits, error) {
		return s.rootside().Limit(s.ctx, alice, change, forGood)
	}
	holds := func(when, memory, tasks string) {
		t.Helper()
		if m, n := s.property(unit, "MemoryMax"), s.property(unit, "TasksMax"); m != memory || n != tasks {
			t.Errorf("%s: MemoryMax=%s TasksMax=%s, want %s and %s", when, m, n, memory, tasks)
		}
	}
	got, err := limit(&hub.Limits{MemoryMax: 1 << 30, TasksMax: 100, CPUQuota: 0.5, CPUWeight: 20, IOWeight: 30, MemoryHigh: 900 << 20}, false)
	if want := (hub.Limits{MemoryMax: 1 << 30, MemoryHigh: 900 << 20, CPUQuota: 0.5, CPUWeight: 20, IOWeight: 30, TasksMax: 100}); err != nil || got != want {
		t.Errorf("after a change %+v, %v", got, err)
	}
	holds("changed", "1073741824", "100")
	if s.mainPID(unit) != pid {
		t.Error("the server was started anew")
	}
	for _, more := range []hub.Limits{{MemoryMax: 2 << 30}, {TasksMax: 2000}, {CPUQuota: 3}, {CPUWeight: 200}} {
		if _, err := limit(&more, false); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("%+v: %v", more, err)
		}
	}
	holds("after refusals", "1073741824", "100")

	if _, err := limit(&hub.Limits{MemoryMax: 256 << 20}, true); err != nil {
		t.Fatal(err)
	}
	if err := s.rootside().Stop(s.ctx, alice); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
	s.killed("jupyterhub-spawnd.service")
	s.start(alice)
	holds("started again", "268435456", "1024")
	if out := s.can(alice, "echo $MEM_LIMIT"); out != "268435456" {
		t.Errorf("the server is told %s", out)
	}
	if _, err := limit(nil, true); err != nil {
		t.Fatal(err)
	}
	holds("given back", "536870912", "1024")
	if _, err := s.rootside().Limit(s.ctx, bob, &hub.Limits{MemoryMax: 1 << 30}, false); hub.KindOf(err) != hub.NotRunning {
		t.Errorf("of what does not run: %v", err)
	}
}

// Addresses that are denied are not reached, also by what a server starts, and those that are allowed are; others' servers are not bound.
func TestDeniedAddressesAreNotReached(t *testing.T) {
	s := onStage(t)
	if _, err := os.Stat("/proc/sys/kernel/unprivileged_bpf_disabled"); err != nil {
		t.Skip("this kernel has no BPF, by which addresses are filtered; jupyterhub doctor says so")
	}
	const elsewhere = "192.0.2.33"
	s.run("ip", "address", "add", elsewhere+"/32", "dev", "lo")
	s.afterwards("ip", "address", "delete", elsewhere+"/32", "dev", "lo")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure("[spawner]\ncmd = [\"probe-singleuser\"]\n[spawner.user.alice]\nip_address_deny = [\"any\"]\nip_address_allow = [\"localhost\"]\n")
	s.start(alice)
	s.start(bob)
	// A datagram tells at once: what the kernel does not let out is refused to its sender, or never comes.
	reaches := func(who hub.ServerRef, address string) bool {
		_, ok := s.tries(who, fmt.Sprintf("timeout 20 python3 -c '"+`
import socket
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); there.bind(("%[1]s", 0)); there.settimeout(2)
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); here.bind(("127.0.0.1" if "%[1]s".startswith("127") else "%[1]s", 0))
here.sendto(b"x", there.getsockname()); there.recv(1)`+"'", address))
		return ok
	}
	for _, play := range []struct {
		who     hub.ServerRef
		address string
		want    bool
	}{{alice, "127.0.0.1", true}, {alice, elsewhere, false}, {bob, "127.0.0.1", true}, {bob, elsewhere, true}} {
		if got := reaches(play.who, play.address); got != play.want {
			t.Errorf("%s reaches %s: %t", play.who, play.address, got)
		}
	}
	if out := s.run("sh", "-c", "jupyterhub doctor || true"); strings.Contains(out, "ip_address") {
		t.Errorf("what holds is called in vain:\n%s", out)
	}
}
