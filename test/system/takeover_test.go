package system

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// spawnd is the door that a taken-over hub has most to gain at.
const spawnd = "/run/jupyterhub/spawnd.sock"

// The hub's program is gone, and a play is in its place, with the hub's uid and at the hub's sockets.
func TestTheHubWasTakenOver(t *testing.T) {
	t.Parallel()
	s := ownStage(t, "[spawner]\ncmd = [\"mock-singleuser\"]\n[[spawner.profile]]\nname = \"big\"\nallowed_users = [\"alice\"]\nmem_limit = \"0\"\n")
	s.run("systemctl", "stop", "jupyterhub.service", "jupyterhub-hub.socket", "jupyterhub-api.socket", "jupyterhub-admin.socket",
		"jupyterhub-credentials.socket")
	s.afterwards("systemctl", "start", "jupyterhub.service") // for what clears up
	for name, play := range map[string]func(*stage){
		"its account is not root": itsAccountIsNotRoot, "its options compose nothing": itsOptionsComposeNothing,
		"its identities carry nothing else": itsIdentitiesCarryNothingElse, "the door under fire": theDoorUnderFire,
		"all places at the door": allPlacesAtTheDoor, "a flood of calls": aFloodOfCalls,
	} {
		t.Run(name, func(t *testing.T) {
			s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
			mine := &stage{Bed: s.Bed, t: t, ctx: t.Context(), hub: s.hub}
			play(mine)
			mine.run("systemctl", "stop", "jupyter-*.service")
			mine.eventually("root's side has heard of it", func() bool { return !mine.listed(bob) })
		})
	}
}

// dialAs connects to a socket of the machine as one of its accounts: the peer sees that account's uid.
func (s *stage) dialAs(user, path string) net.Conn {
	s.t.Helper()
	return s.dialManyAs(user, path, 1)[0]
}

// dialManyAs makes so many connections.
func (s *stage) dialManyAs(user, path string, n int) (all []net.Conn) {
	s.t.Helper()
	uid, err := strconv.Atoi(s.run("id", "--user", user))
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		// The thread becomes somebody else, and ends with this goroutine because it is never unlocked.
		runtime.LockOSThread()
		err := become(uid, s.Path("/"))
		for err == nil && len(all) < n {
			var c net.Conn
			if c, err = connect(path); err == nil {
				all = append(all, c)
			}
		}
		done <- err
	}()
	err = <-done
	for _, c := range all {
		s.t.Cleanup(func() { c.Close() })
	}
	if err != nil {
		s.t.Fatalf("connect to %s as %s, %d of %d: %v", path, user, len(all)+1, n, err)
	}
	return all
}

// become makes the calling thread, and it alone, an account of another root directory. The raw calls are those of a
// thread; package unix would change all of them.
func become(id int, root string) error {
	if err := errors.Join(unix.Unshare(unix.CLONE_FS), unix.Chroot(root), unix.Chdir("/")); err != nil {
		return err
	}
	for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, _, e := unix.RawSyscall(call, uintptr(id), uintptr(id), uintptr(id)); e != 0 {
			return e
		}
	}
	return nil
}

func connect(path string) (net.Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, err
	}
	return net.FileConn(file)
}

// startAsHub asks the spawner's door, as the hub, for a server.
func (s *stage) startAsHub(parameters map[string]any) (hub.Unit, error) {
	s.t.Helper()
	c := varlink.NewConn(s.dialAs("jupyterhub", spawnd))
	defer c.Close()
	var out struct {
		Unit hub.Unit `json:"unit"`
	}
	ctx, done := context.WithTimeout(s.ctx, patience)
	defer done()
	err := c.Call(ctx, "org.jupyterhub.Spawner.Start", parameters, &out)
	return out.Unit, err
}

// Attack: the hub's uid, with all that it may reach, tries what only root may: secrets, root's files, units, the other doors.
// Verified: refused, each.
func itsAccountIsNotRoot(s *stage) {
	for _, attempt := range []string{
		"cat /etc/shadow", "touch /etc/jupyterhub/jupyterhub.toml.d/x.toml", "touch /etc/systemd/system/x.service", "touch /usr/libexec/jupyterhub/x",
		"touch /run/jupyter/x", "touch /run/jupyterhub/x", "ls /home/alice/.ssh", "su alice -c true </dev/null", "sudo -n true",
		"systemd-run --collect true", "systemctl start jupyterhub-passwd@0.service", "systemctl daemon-reload",
		"systemctl set-property --runtime jupyter.slice MemoryMax=infinity", "echo 1 >/proc/sys/kernel/printk", "loginctl enable-linger alice",
		"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/jupyterhub/credentials.sock\")'",
		"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/systemd/private\")'",
		"kill -0 1", "kill -0 $(pgrep -o -f jupyterhub-spawnd)", "cat /proc/$(pgrep -o -f jupyterhub-proxy)/environ", "cat /var/lib/jupyterhub-proxy/routes.json",
	} {
		command := []string{"setpriv", "--reuid=jupyterhub", "--regid=jupyterhub", "--init-groups", "--inh-caps=-all", "--", "sh", "-c", "timeout 20 " + attempt}
		if out, err := s.Run(s.ctx, command[0], command[1:]...); err == nil {
			s.t.Errorf("the hub's account can %s: %s", attempt, out)
		}
	}
}

// Attack: the hub fills options with everything that a unit could have, and names a profile that is not for that account.
// Verified: the unit that comes of it is, line by line, the one that comes of nothing; the profile is refused.
func itsOptionsComposeNothing(s *stage) {
	giveCredentials(s.t, s.Path("/run/jupyterhub/credentials.sock"))
	evil := map[string]any{
		"cmd": []string{"/bin/sh"}, "User": "root", "uid": 0, "mem_limit": "1T", "MemoryMax": "infinity", "Environment": "LD_PRELOAD=/tmp/x.so",
		"profile": "big", "sandbox": map[string]any{"NoNewPrivileges": false}, "unit_extra_properties": map[string]any{"User": "root"},
	}
	composed := func(options any) string {
		s.t.Helper()
		unit, err := s.startAsHub(map[string]any{"user": "bob", "server": "", "options": options})
		if err != nil {
			s.t.Fatal(err)
		}
		text := s.run("cat", "/run/systemd/transient/"+unit.Name)
		s.run("systemctl", "stop", unit.Name)
		s.eventually("root's side has heard of it", func() bool { return !s.listed(bob) })
		return text
	}
	if plain, filled := composed(nil), composed(evil); plain != filled {
		s.t.Errorf("without options the unit is\n%s\nand with them\n%s", plain, filled)
	}
	if unit, err := s.startAsHub(map[string]any{"user": "bob", "server": "", "profile": "big"}); err == nil {
		s.t.Errorf("bob gets a profile that is alice's: %+v", unit)
	}
	for _, more := range []string{"uid", "cmd", "properties", "environment", "slice", "unit", "account"} {
		if unit, err := s.startAsHub(map[string]any{"user": "bob", "server": "", more: "root"}); hub.KindOf(err) != hub.Invalid {
			s.t.Errorf("with %s the answer is %+v, %v", more, unit, err)
		}
	}
}

// Attack: the hub answers the service manager with an identity that holds variables which change how programs are loaded, and
// with pieces of one.
// Verified: the server's program never runs, and the cause says that the identity did not arrive.
func itsIdentitiesCarryNothingElse(s *stage) {
	s.put("/usr/local/bin/mock-singleuser", "#!/bin/sh\ntouch it-ran\nexec sleep 1000\n", 0o755)
	good := forged("JUPYTERHUB_USER=bob\x00")
	for name, identity := range map[string]string{
		"LD_PRELOAD": forged("LD_PRELOAD=/tmp/x.so\x00"), "PYTHONPATH": forged("PYTHONPATH=/tmp\x00"), "PATH": forged("PATH=/tmp\x00"),
		"HOME": forged("HOME=/home/alice\x00"), "NODE_OPTIONS": forged("NODE_OPTIONS=--require /tmp/x\x00"), "BASH_ENV": forged("BASH_ENV=/tmp/x\x00"),
		"no name": forged("=x\x00"), "no value": forged("JUPYTERHUB_USER\x00"), "a name twice": forged("JUPYTERHUB_USER=bob\x00JUPYTERHUB_USER=alice\x00"),
		"half": good[:len(good)/2], "nothing": "", "a byte too many": good + "x", "too much": forged("JUPYTERHUB_USER=" + strings.Repeat("x", 1<<17) + "\x00"),
	} {
		stop := answerCredentials(s.t, s.Path("/run/jupyterhub/credentials.sock"), []byte(identity))
		_, _ = s.startAsHub(map[string]any{"user": "bob", "server": ""}) // the end may come after the answer
		s.eventually("the server with an identity with "+name+" has ended", func() bool { return !s.unit(bob).State.Alive() })
		if cause := s.unit(bob).Cause; cause == nil || cause.Kind != hub.CauseCredential {
			s.t.Errorf("an identity with %s ends with %+v", name, cause)
		}
		stop()
	}
	ran := func() string { return s.run("find", "/home", "-name", "it-ran") }
	if ran := ran(); ran != "" {
		s.t.Errorf("the server's program ran: %s", ran)
	}
	s.t.Cleanup(answerCredentials(s.t, s.Path("/run/jupyterhub/credentials.sock"), []byte(good)))
	if _, err := s.startAsHub(map[string]any{"user": "bob", "server": ""}); err != nil {
		s.t.Error(err)
	}
	s.eventually("with a whole identity the program runs", func() bool { return ran() != "" })
}

// forged closes variables as package credential does, whatever they are.
func forged(variables string) string {
	return fmt.Sprintf("%slength %d sha256 %x\n", variables, len(variables), sha256.Sum256([]byte(variables)))
}

// Attack: thousands of messages: real ones with pieces exchanged for names of system accounts, paths, properties; cut, doubled
// and with bytes at random; some over a megabyte, some that never end.
// Verified: what runs afterwards are servers of people whom root admits, each as its own account, by the commands and within the limits of
// root's file, and nothing else came to be; root's side is the same process as before.
func theDoorUnderFire(s *stage) {
	giveCredentials(s.t, s.Path("/run/jupyterhub/credentials.sock"))
	roots := s.rootsOwn()
	everything := func() []string {
		list := strings.Fields(s.run("sh", "-c", "systemctl list-units --all --plain --no-legend | awk '{ print $1 }'"))
		return slices.DeleteFunc(list, func(unit string) bool { return strings.HasPrefix(unit, "run-credentials") })
	}
	before, pid := everything(), s.mainPID("jupyterhub-spawnd.service")
	r := rand.New(rand.NewPCG(7, 8))
	conn := s.dialAs("jupyterhub", spawnd)
	for range 1500 {
		if message := crafted(r); !fire(conn, message) || strings.Contains(message, `"more":true`) {
			conn.Close()
			conn = s.dialAs("jupyterhub", spawnd)
		}
	}
	for _, flood := range []string{strings.Repeat("a", 3<<20), strings.Repeat("[", 2<<20), `{"method":"` + strings.Repeat("x", 2<<20) + "\x00"} {
		fire(s.dialAs("jupyterhub", spawnd), flood)
	}
	if now := s.mainPID("jupyterhub-spawnd.service"); now != pid {
		s.t.Errorf("root's side was process %s and is %s", pid, now)
	}
	ours := regexp.MustCompile(`^jupyter-(?:user_)?(admin|alice|bob|mallory)(-[a-z0-9_:.\\-]*)?\.(service|slice)$|^jupyter\.slice$`)
	for _, unit := range everything() {
		m := ours.FindStringSubmatch(unit)
		if m == nil && !slices.Contains(before, unit) && !strings.HasPrefix(unit, "run-jupyter") {
			s.t.Errorf("there is a new unit %s", unit)
		}
		if m == nil || !strings.HasSuffix(unit, ".service") {
			continue
		}
		if user, uid := s.property(unit, "User"), s.run("id", "--user", m[1]); user != uid {
			s.t.Errorf("%s runs as %s, and %s is %s", unit, user, m[1], uid)
		}
		s.isRootsOwn(unit, roots[m[1]])
	}
	if _, err := s.startAsHub(map[string]any{"user": "bob", "server": "afterwards"}); err != nil {
		s.t.Errorf("the next call: %v", err)
	}
}

// fire sends a message and reads an answer. It reports whether the connection is of more use.
func fire(c net.Conn, message string) bool {
	_ = c.SetDeadline(time.Now().Add(5 * time.Second)) // what is no message may have no answer
	if _, err := c.Write([]byte(message + "\x00")); err != nil {
		return false
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return false
		}
		if buffer[n-1] == 0 {
			return true
		}
	}
}

// crafted makes one message: a real one, and then something happens to it.
func crafted(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	name := func() string {
		return pick("alice", "bob", "root", "daemon", "nobody", "jupyterhub", "0", "-1", "1000", "", ".", "..", "../jupyterhub", "alice/../root", "alice ",
			"Alice", "a\x00b", "lab", "user_alice", "alice-x", `alice\x2dx`, "%i", "$HOME", "@", strings.Repeat("a", 300))
	}
	verb := pick("Start", "Stop", "List", "Usage", "Journal", "Check", "CheckConfiguration", "Reload", "Profiles", "Explain", "Limit", "Freeze", "Thaw",
		"Watch", "Headroom", "Ended", "ApplyServices", "Exec", "start", "")
	parameters := map[string]any{}
	for range r.IntN(5) {
		parameters[pick("user", "server", "profile", "options", "lines", "limits", "for_good", "uid", "cmd", "properties", "environment", "User", "more", "invocation_ids")] =
			[]any{name(), name(), name(), r.IntN(100) - 10, nil, []string{name()}, map[string]any{"User": name()},
				map[string]any{"memory_max": r.Int64() - r.Int64(), pick("cpu_quota", "tasks_max", "MemoryMax"): r.Float64() * 1e6}, true}[r.IntN(9)]
	}
	if r.IntN(3) == 0 {
		parameters["user"], parameters["server"] = name(), name()
	}
	if r.IntN(3) == 0 { // nothing but a server, which most verbs want
		parameters = map[string]any{"user": pick("alice", "bob", "admin"), "server": pick("", "lab", "x")}
	}
	b, _ := json.Marshal(map[string]any{"more": verb == "Watch" || r.IntN(20) == 0, "method": pick("org.jupyterhub.Spawner.", "org.varlink.service.", "org.freedesktop.systemd1.") + verb, "parameters": parameters})
	switch r.IntN(6) {
	case 0:
		b = b[:r.IntN(len(b))]
	case 1:
		b = append(b, b...)
	case 2:
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
	}
	return string(b)
}
