package system

import (
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// What alice's server puts into /tmp nobody else finds there, and it finds nobody else's; in neither of the two places for it.
func TestTemporaryFilesAreEachServersOwn(t *testing.T) {
	s := onStage(t)
	s.probed("", "alice", "bob")
	s.run("sh", "-c", "echo ours >/tmp/whose; chmod 644 /tmp/whose")
	s.afterwards("rm", "/tmp/whose")
	s.start(alice)
	s.start(bob)
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		s.can(alice, "echo hers >"+dir+"/whose && chmod 777 "+dir+"/whose")
		s.cannot(bob, "ls "+dir+"/whose")
		s.can(bob, "echo his >"+dir+"/whose")
		if out := s.can(alice, "cat "+dir+"/whose"); out != "hers" {
			t.Errorf("in %s alice finds %q", dir, out)
		}
	}
	if out := s.run("cat", "/tmp/whose"); out != "ours" {
		t.Errorf("the machine finds %q", out)
	}
	// As it lies in the machine's /tmp nobody gets at it but root.
	if out, err := s.As("bob").Run(s.ctx, "sh", "-c", "cat /tmp/systemd-private-*/tmp/whose /var/tmp/systemd-private-*/tmp/whose 2>&1"); err == nil {
		t.Errorf("in a login shell bob finds %s", out)
	}
}

// A server has the group and all further groups of its account, and those of unit_extra_properties besides.
func TestAServerHasItsAccountsGroups(t *testing.T) {
	s := onStage(t)
	s.run("groupadd", "--force", "course")
	s.run("usermod", "--append", "--groups", "course", "alice")
	s.afterwards("gpasswd", "--delete", "alice", "course")
	s.probed("unit_extra_properties = { SupplementaryGroups = [\"games\"] }", "alice")
	s.start(alice)
	if got, want := s.can(alice, "id --group"), s.run("id", "--group", "alice"); got != want {
		t.Errorf("its group is %s, not %s", got, want)
	}
	got, want := strings.Fields(s.can(alice, "id --groups --name")), append(strings.Fields(s.run("id", "--groups", "--name", "alice")), "games")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || !slices.Contains(got, "course") {
		t.Errorf("its groups are %q, not %q", got, want)
	}
	s.can(alice, "touch ~/x && chgrp course ~/x && rm ~/x")
}

// A home is on a file system that lets its owner in and nobody else, root neither: as NFS with root_squash does, and FUSE. Root's side
// starts the server without looking into it, whatever the sandbox takes away around it.
func TestAHomeThatRootMayNotEnter(t *testing.T) {
	s := onStage(t)
	if _, err := s.Run(s.ctx, "sh", "-c", "grep -w fuse /proc/filesystems && test -c /dev/fuse"); err != nil {
		t.Skip("this kernel has no file systems of users (FUSE)")
	}
	const home = "/srv/shut/dora"
	s.run("mkdir", "-p", home)
	s.run("useradd", "--no-create-home", "--home-dir", home, "dora")
	s.afterwards("userdel", "dora")
	s.put("/usr/local/bin/shut", shut, 0o755)
	s.run("systemd-run", "--unit=shut", "--property=Type=notify", "--property=NotifyAccess=all", "shut", home, s.run("id", "--user", "dora"), s.run("id", "--group", "dora"))
	s.afterwards("sh", "-c", "umount --lazy "+home+"; systemctl stop shut.service; rm -r /srv/shut")
	if out, err := s.Run(s.ctx, "ls", home); err == nil {
		t.Fatalf("root sees %q", out)
	}
	dora := s.user("dora")
	for i, sandbox := range []string{"", "create_home = true", "[spawner.user.dora.sandbox]\nProtectSystem = \"strict\""} {
		s.probed(sandbox, "dora")
		if _, err := s.hub.StartServer(s.ctx, dora, client.StartRequest{}); err != nil {
			t.Fatalf("%s: %v", sandbox, err)
		}
		s.becomes(dora, hub.Running)
		if out := s.can(dora, "pwd; echo mine >>~/file; cat ~/file"); out != home+strings.Repeat("\nmine", i+1) {
			t.Errorf("%s: she sees %q", sandbox, out)
		}
		if _, err := s.hub.StopServer(s.ctx, dora, false); err != nil {
			t.Fatal(err)
		}
		s.becomes(dora, hub.Stopped)
	}
}

// shut is a file system of one directory with files, which its owner alone may enter (fuse(4); the kernel asks whoever mounted it, and
// lets nobody else in). Arguments: where, and the numbers of the user and the group.
const shut = `#!/usr/bin/python3
import ctypes, os, socket, stat, struct, sys
where, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
device = os.open("/dev/fuse", os.O_RDWR)
options = "fd=%d,rootmode=40700,user_id=%d,group_id=%d" % (device, uid, gid)
if ctypes.CDLL(None, use_errno=True).mount(b"shut", where.encode(), b"fuse", 6, options.encode()):
    sys.exit(os.strerror(ctypes.get_errno()))
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
names, files = {}, {}
def attr(n):
    size, mode = (0, stat.S_IFDIR | 0o700) if n == 1 else (len(files[n]), stat.S_IFREG | 0o600)
    return struct.pack("<6Q10I", n, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, uid, gid, 0, 4096, 0)
def entry(n): return struct.pack("<4Q2I", n, 0, 0, 0, 0, 0) + attr(n)
def answer(op, n, body):
    if op == 26: return struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 8, 8, 65536, 1, 0, 0, *[0] * 8)
    if op == 1: return entry(names[body[:-1]])
    if op == 3: return struct.pack("<Q2I", 0, 0, 0) + attr(n)
    if op == 4:
        valid, size = struct.unpack_from("<I", body)[0], struct.unpack_from("<Q", body, 16)[0]
        if valid & 8: files[n] = files[n][:size].ljust(size, b"\0")
        return struct.pack("<Q2I", 0, 0, 0) + attr(n)
    if op in (14, 27): return struct.pack("<Q2I", 0, 0, 0)
    if op == 15:
        at, size = struct.unpack_from("<QI", body, 8)
        return files[n][at:at + size]
    if op == 16:
        at, size = struct.unpack_from("<QI", body, 8)
        files[n] = files[n][:at].ljust(at, b"\0") + body[40:40 + size] + files[n][at + size:]
        return struct.pack("<2I", size, 0)
    if op == 17: return struct.pack("<5Q10I", 1000, 900, 900, 1000, 900, 4096, 255, 4096, 0, *[0] * 6)
    if op == 28:
        at, out = struct.unpack_from("<Q", body, 8)[0], b""
        for i, (name, node) in list(enumerate(names.items()))[at:]:
            out += struct.pack("<2Q2I", node, i + 1, len(name), 8) + name.ljust((len(name) + 7) // 8 * 8, b"\0")
        return out
    if op == 35:
        node = len(files) + 2
        names[body[16:-1]], files[node] = node, b""
        return entry(node) + struct.pack("<Q2I", 0, 0, 0)
    if op in (18, 20, 25, 29): return b""
    raise OSError(38)
while True:
    request = os.read(device, 1 << 20)
    op, unique, node = struct.unpack_from("<IQQ", request, 4)
    if op in (2, 36, 42): continue
    try: code, out = 0, answer(op, node, request[40:])
    except KeyError: code, out = -2, b""
    except OSError: code, out = -38, b""
    os.write(device, struct.pack("<IiQ", 16 + len(out), code, unique) + out)
`
