package system

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// knock sends text, NUL-terminated unless raw, to the spawner's door as an account and group, and returns what is answered.
func (s *stage) knock(user, group, hexText string) string {
	s.t.Helper()
	const script = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(20)
try:
    s.connect("/run/jupyterhub/spawnd.sock")
    try:
        s.sendall(bytes.fromhex(sys.argv[1]))
        if not sys.argv[1].endswith("00"): s.shutdown(socket.SHUT_WR)
    except BrokenPipeError: pass # refused before a word was said; the refusal can be read
    text = b""
    while not text.endswith(b"\0"):
        piece = s.recv(65536)
        if not piece: break
        text += piece
    print(text.decode(errors="replace").rstrip("\0"))
except OSError as e: print("ERROR", e)`
	out, err := s.Run(s.ctx, "setpriv", "--reuid="+user, "--regid="+group, "--init-groups", "--inh-caps=-all", "--", "/usr/bin/python3", "-c", script, hexText)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func framed(text string) string { return hex.EncodeToString([]byte(text + "\x00")) }

func call(method, parameters string) string {
	return framed(fmt.Sprintf(`{"method":"org.jupyterhub.Spawner.%s","parameters":%s}`, method, parameters))
}

// Two guards stand at the door: the socket's mode, and who the kernel says the peer is.
func TestOnlyTheHubAndRootMayKnock(t *testing.T) {
	s := onStage(t)
	list := call("List", "{}")
	if out := s.knock("alice", "alice", list); !strings.Contains(out, "Permission denied") {
		t.Errorf("alice: %s", out)
	}
	s.run("usermod", "-a", "-G", "jupyterhub", "mallory") // a slip of an admin's
	s.afterwards("gpasswd", "-d", "mallory", "jupyterhub")
	if out := s.knock("mallory", "mallory", list); !strings.Contains(out, "PermissionDenied") {
		t.Errorf("mallory in the hub's group: %s", out)
	}
	for _, who := range []string{"jupyterhub", "root"} {
		if out := s.knock(who, who, list); !strings.Contains(out, `"inventory"`) {
			t.Errorf("%s: %s", who, out)
		}
	}
}

// Vulnerability: a hub that was taken over.
// Attack: every verb with what it was not made for, system accounts, and bytes without sense.
// Verified: no unit, no process, no file of another account; the door stays open for the next caller.
func TestATakenOverHubAtTheSpawnersDoor(t *testing.T) {
	s := onStage(t)
	before := s.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "jupyter-*.service")
	for _, attack := range []string{
		call("Start", `{"user":"root","server":""}`), call("Start", `{"user":"daemon","server":""}`), call("Start", `{"user":"0","server":""}`),
		call("Start", `{"user":"nobody","server":""}`), call("Start", `{"user":"jupyterhub","server":""}`),
		call("Start", `{"user":"alice","server":"../../etc"}`), call("Start", `{"user":"alice","server":"","cmd":["/bin/sh"]}`),
		call("Start", `{"user":"alice","server":"","properties":{"User":"root"}}`), call("Start", `{"user":"alice","server":"","profile":"none"}`),
		call("Start", `{"user":"alice","server":"","uid":0}`), call("Start", `{"user":"alice","user":"root","server":""}`),
		call("Stop", `{"user":"root","server":""}`), call("Stop", `{"user":"../jupyterhub","server":""}`),
		call("Journal", `{"user":"root","server":"","lines":99999}`), call("Journal", `{"user":"alice","server":"","lines":-1}`),
		call("Limit", `{"user":"root","server":"","limits":{"memory_max":1073741824},"for_good":true}`),
		call("Limit", `{"user":"daemon","server":"","limits":{"tasks_max":100},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"","limits":{"memory_max":4611686018427387904},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"","limits":{"memory_max":-1},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"","limits":{"cpu_quota":1e300},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"","limits":{"tasks_max":4194304},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"","limits":{"MemoryMax":1073741824},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"","limits":{"DeviceAllow":"/dev/sda rw"},"for_good":true}`),
		call("Limit", `{"user":"alice","server":"../../../etc/cron.d/x","limits":{"tasks_max":100},"for_good":true}`),
		call("Limit", `{"user":"jupyter.slice","server":"","limits":{"tasks_max":100},"for_good":true}`),
		call("Freeze", `{"user":"root","server":""}`), call("Freeze", `{"user":"../jupyterhub","server":""}`),
		call("Freeze", `{"user":"alice","server":"","unit":"jupyterhub.service"}`), call("Thaw", `{"user":"root","server":""}`),
		call("Profiles", `{"user":"root"}`), call("Profiles", `{"user":"alice","server":""}`), call("Profiles", `{"user":"../../etc"}`),
		call("Explain", `{"user":"root","server":""}`), call("Explain", `{"user":"alice","server":"","profile":"none"}`),
		call("Explain", `{"user":"alice","server":"","options":[]}`), call("Explain", `{"user":"alice","server":"","cmd":["/bin/sh"]}`),
		call("Ended", `{"invocation_ids":["_UID=0"]}`), call("Ended", `{"invocation_ids":["--file=/etc/shadow"]}`), call("Ended", `{"unit":"sshd.service"}`),
		call("Exec", `{"command":"/bin/sh"}`), call("SetProperty", `{}`), framed(`{"method":"org.freedesktop.systemd1.Manager.StartUnit"}`),
		framed(`{"method":"Start"}`), framed(`[]`), framed(`{`), framed(``), framed(strings.Repeat("[", 5000)),
	} {
		out := s.knock("jupyterhub", "jupyterhub", attack)
		nothing := out == "" || out == "{}" || out == `{"parameters":{}}` || strings.HasPrefix(out, "ERROR") // Stop of what does not run
		if !nothing && !strings.Contains(out, `"error"`) {
			text, _ := hex.DecodeString(attack)
			t.Errorf("%s was answered with %s", text, out)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		noise := make([]byte, 1+r.IntN(3000))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		s.knock("jupyterhub", "jupyterhub", hex.EncodeToString(noise))
	}
	if after := s.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "jupyter-*.service"); after != before {
		t.Errorf("units before:\n%s\nand after:\n%s", before, after)
	}
	if out := s.knock("jupyterhub", "jupyterhub", call("List", "{}")); !strings.Contains(out, `"boot_id"`) {
		t.Errorf("the door answers %s", out)
	}
}
