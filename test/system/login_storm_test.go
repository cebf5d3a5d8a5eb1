package system

import (
	"encoding/json"
	"strings"
	"testing"
)

// storm makes a thousand bad logins in two seconds, from twenty addresses, for accounts that there are and that there are
// not, and a good one among them. It prints what came of them. Its arguments: the good one's name, password and address.
const storm = `
import collections, http.client, json, re, sys, threading, time, urllib.parse
def visit(address, method, path, body=None, headers={}):
    c = http.client.HTTPConnection("127.0.0.1", 8000, timeout=120, source_address=(address, 0))
    try:
        c.request(method, path, body, headers)
        r = c.getresponse()
        return r.status, r.read().decode(), r.headers.get_all("Set-Cookie") or []
    finally: c.close()
def token(address):
    _, page, cookies = visit(address, "GET", "/hub/login")
    return re.search('name="_xsrf" value="([^"]*)"', page).group(1), "; ".join(c.split(";")[0] for c in cookies)
def login(address, known, name, password):
    xsrf, cookies = known
    body = urllib.parse.urlencode({"_xsrf": xsrf, "username": name, "password": password})
    began = time.monotonic()
    status, _, _ = visit(address, "POST", "/hub/login", body, {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"})
    return status, time.monotonic() - began
name, password, home = sys.argv[1:]
bad = ["127.0.1.%d" % i for i in range(1, 21)]
known = {a: token(a) for a in bad + [home]}
count, lock, good = collections.Counter(), threading.Lock(), []
def attack(i):
    time.sleep(2 * i / 1000)
    try: status, _ = login(bad[i % 20], known[bad[i % 20]], name if i % 2 else "nobody-%d" % i, "wrong")
    except Exception as e: status = type(e).__name__
    with lock: count[str(status)] += 1
def come():
    time.sleep(1)
    good.extend(login(home, known[home], name, password))
threading.stack_size(128 * 1024)
threads = [threading.Thread(target=attack, args=(i,)) for i in range(1000)] + [threading.Thread(target=come)]
for t in threads: t.start()
for t in threads: t.join()
print(json.dumps({"bad": count, "good": good}))
`

// A storm of bad logins keeps nobody else out and closes no door for good. How long somebody waits at most is told by
// hub/auth's TestThousandBadLogins, whose clock is not this machine's.
func TestAThousandBadLogins(t *testing.T) {
	s := onStage(t)
	out := s.run("python3", "-c", storm, "alice", s.Password("alice"), "127.0.0.1")
	var got struct {
		Bad  map[string]int
		Good [2]float64 // status and seconds
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("the good login got %v after %v s", got.Good[0], got.Good[1])
	if got.Good[0] != 302 {
		t.Error("the good login was refused")
	}
	if got.Bad["403"]+got.Bad["429"] != 1000 {
		t.Errorf("the bad ones got %v", got.Bad)
	}
	for _, unit := range []string{"jupyterhub-pam.socket", "jupyterhub-passwd.socket", "jupyterhub.service", "jupyterhub-proxy.service"} {
		if state := s.run("systemctl", "show", "--property=ActiveState", "--value", unit); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
	}
	if failed := s.run("systemctl", "list-units", "--plain", "--no-legend", "--state=failed", "jupyterhub*"); strings.TrimSpace(failed) != "" {
		t.Errorf("failed: %s", failed)
	}
}
