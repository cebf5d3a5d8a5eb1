package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/test/testbed"
)

// everything is the units that are active when the hub is up.
var everything = []string{"jupyterhub-admin.socket", "jupyterhub-api.socket", "jupyterhub-credentials.socket", "jupyterhub-hub.socket",
	"jupyterhub-idle-culler.timer", "jupyterhub-pam.socket", "jupyterhub-passwd.socket", "jupyterhub-proxy-api.socket",
	"jupyterhub-proxy.service", "jupyterhub-proxy.socket", "jupyterhub-spawnd.service", "jupyterhub-spawnd.socket", "jupyterhub.service",
	"jupyterhub.target"}

// machine is a bed of the test's own, for what would disturb the tests that share one.
type machine struct {
	*testing.T
	bed *testbed.Bed
}

// fresh is a machine that never saw the product.
func fresh(t *testing.T) machine {
	t.Helper()
	testbed.Needed(t)
	b, err := testbed.Boot(t.Context(), testbed.Options{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.End(); err != nil {
			t.Error(err)
		}
	})
	b.Watch(t)
	return machine{t, b}
}

// installed is a machine on which the product is installed, and nothing else has happened.
func installed(t *testing.T) machine {
	t.Helper()
	m := fresh(t)
	if err := m.bed.Install(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return m
}

// admin types a command.
func (m machine) admin(command string) string {
	m.Helper()
	out, err := m.bed.Run(m.Context(), "sh", "-c", command)
	if err != nil {
		m.Errorf("# %s\n%v", command, err)
	}
	return out
}

// refused types a command that has to fail.
func (m machine) refused(command string) {
	m.Helper()
	if out, err := m.bed.Run(m.Context(), "sh", "-c", command); err == nil {
		m.Errorf("# %s\nwas not refused: %s", command, out)
	}
}

// active lists which of the units are active.
func (m machine) active() []string {
	m.Helper()
	out, _ := m.bed.Run(m.Context(), "systemctl", append([]string{"is-active"}, everything...)...) // its exit code says whether all are
	var up []string
	for i, state := range strings.Fields(out) {
		if state == "active" {
			up = append(up, everything[i])
		}
	}
	return up
}

func (m machine) mustBeUp(when string) {
	m.Helper()
	if err := m.bed.AwaitHub(m.Context()); err != nil {
		m.Errorf("%s: %v", when, err)
	}
	m.await(when, "active")
	if failed := m.admin("systemctl --failed --no-legend"); failed != "" {
		m.Errorf("%s: failed: %s", when, failed)
	}
}

// await waits until every unit is in one of the states: what systemctl was told to start or stop takes others along, and it
// waits for the former alone.
func (m machine) await(when string, states ...string) {
	m.Helper()
	ctx, done := context.WithTimeout(m.Context(), patience)
	defer done()
	for _, unit := range everything {
		if _, err := m.bed.AwaitUnit(ctx, unit, states...); err != nil {
			m.Errorf("%s: %v", when, err)
		}
	}
}

// mustBeDown holds when no door is open: nothing of ours is active, nobody listens, no socket lies about.
func (m machine) mustBeDown(when string) {
	m.Helper()
	m.await(when, "inactive", "failed")
	for _, address := range []string{"127.0.0.1:8000", "127.0.0.1:8081"} {
		if c, err := m.bed.Dial(m.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			m.Errorf("%s: somebody listens at %s: %v", when, address, err)
			if err == nil {
				c.Close()
			}
		}
	}
	if left := m.admin("find /run/jupyterhub /run/jupyterhub-proxy -type s"); left != "" {
		m.Errorf("%s: left: %s", when, left)
	}
}

// status asks the hub through the proxy for a page.
func (m machine) status(ctx context.Context, client *http.Client, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, testbed.URL+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// An admin installs, enables, looks, stops, starts, disables and reboots, and nothing is a surprise.
func TestAdminHasHerExpectationsMet(t *testing.T) {
	t.Parallel()
	m := installed(t)
	m.mustBeDown("installed and not enabled")
	if presets := m.admin("systemctl list-unit-files --no-legend 'jupyterhub*' | grep -v -E 'disabled|static' || true"); presets != "" {
		m.Errorf("a package would enable by itself: %s", presets)
	}

	m.admin("systemctl enable --now jupyterhub")
	m.mustBeUp("enabled now")

	m.admin("systemctl stop jupyterhub.target")
	m.mustBeDown("the target stopped")
	m.admin("systemctl start jupyterhub.target")
	m.mustBeUp("the target started")
	m.admin("systemctl restart jupyterhub.target")
	m.mustBeUp("the target restarted")

	m.admin("systemctl stop jupyterhub.target && systemctl start jupyterhub")
	m.mustBeUp("the hub started by its own name")

	m.reboot()
	m.mustBeUp("rebooted")

	m.admin("systemctl disable --now jupyterhub")
	if up := m.active(); !slices.Contains(up, "jupyterhub-proxy.service") || !slices.Contains(up, "jupyterhub-hub.socket") {
		m.Errorf("with the hub went others; these are active: %v", up)
	}
	if err := m.bed.AwaitHub(m.Context()); err != nil {
		m.Errorf("disabled, its sockets start it for whoever comes: %v", err)
	}
	m.admin("systemctl stop jupyterhub.target")
	m.mustBeDown("disabled")
	m.reboot()
	m.mustBeDown("disabled and rebooted")
}

func (m machine) reboot() {
	m.Helper()
	if err := m.bed.Reboot(m.Context()); err != nil {
		m.Fatal(err)
	}
}

func TestAdminLeavesAPartOut(t *testing.T) {
	t.Parallel()
	m := installed(t)
	m.admin("systemctl enable --now jupyterhub")
	m.mustBeUp("enabled now")

	const timer = "jupyterhub-idle-culler.timer"
	m.admin("systemctl disable --now " + timer)
	m.admin("systemctl restart jupyterhub jupyterhub.target")
	if state := m.admin("systemctl is-active " + timer + " || true"); state != "inactive" {
		m.Errorf("a timer that is disabled is %s after a restart", state)
	}

	m.admin("systemctl stop jupyterhub.target && systemctl mask jupyterhub.service")
	m.refused("systemctl start jupyterhub")
	m.admin("systemctl start jupyterhub.target")
	if state := m.admin("systemctl is-active jupyterhub.service || true"); state == "active" {
		m.Error("masked, the hub runs")
	}
	m.admin("systemctl unmask jupyterhub.service && systemctl stop jupyterhub.target && systemctl enable --now jupyterhub")
	m.mustBeUp("unmasked")
}

// The unit files say nothing that systemd 252 would complain about, man pages included.
func TestUnitsAreVerified(t *testing.T) {
	t.Parallel()
	m := installed(t)
	complaints := m.admin("systemd-analyze verify /usr/lib/systemd/system/jupyter* /usr/lib/systemd/system/run-jupyter.mount " +
		"/usr/lib/systemd/system/system-jupyterhub.slice 2>&1")
	if complaints != "" {
		m.Error(complaints)
	}
}

// Requests that come while the hub restarts wait in its socket: none fails, and the socket stays the same.
func TestRestartOfTheHubIsNotSeen(t *testing.T) {
	t.Parallel()
	m := installed(t)
	m.admin("systemctl enable --now jupyterhub")
	m.mustBeUp("enabled now")
	const facts = "stat -c %i /run/jupyterhub/hub.sock; systemctl show -P MainPID jupyterhub-proxy"
	before := m.admin(facts)

	ctx, stop := context.WithCancel(m.Context())
	defer stop()
	client := &http.Client{Transport: m.bed.Transport()}
	defer client.CloseIdleConnections()
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			if status, err := m.status(ctx, client, "hub/login"); ctx.Err() == nil && (err != nil || status != http.StatusOK) {
				m.Errorf("the login page during a restart: %d, %v", status, err)
			}
		}
	})
	for range 3 {
		m.admin("systemctl restart jupyterhub.service")
	}
	stop()
	asking.Wait()
	if after := m.admin(facts); after != before {
		m.Errorf("socket and proxy were\n%s\nand are\n%s", before, after)
	}
}

// A hub that cannot start fails as often as it is asked to, and works when its file is corrected. No socket unit is touched.
func TestFiftyFailedStartsCloseNoDoor(t *testing.T) {
	t.Parallel()
	m := installed(t)
	m.admin("systemctl enable --now jupyterhub")
	m.mustBeUp("enabled now")
	m.admin(`mkdir /etc/systemd/system/jupyterhub.service.d
		printf '[Service]\nRestartSec=20ms\n' >/etc/systemd/system/jupyterhub.service.d/quick.conf && systemctl daemon-reload`)
	const wrong = "/etc/jupyterhub/jupyterhub.toml.d/99-wrong.toml"
	m.admin("printf '[hub]\\nbase_urll = 7\\n' >" + wrong + "; systemctl stop jupyterhub.service")
	failures := m.admin("n=0; for i in $(seq 50); do systemctl start jupyterhub.service 2>/dev/null || n=$((n+1)); done; echo $n")
	if failures != "50" {
		m.Errorf("%s of fifty starts failed", failures)
	}
	if said := m.bed.Journal(m.Context(), "jupyterhub.service"); !strings.Contains(said, wrong+":2: hub.base_urll") {
		m.Error("the journal does not name file, line and key")
	}
	m.admin("rm " + wrong)
	m.mustBeUp("with the file corrected") // by the restart that is under way, or by the request
}

// A storm of connections leaves the login door open.
func TestStormOnTheLoginDoor(t *testing.T) {
	t.Parallel()
	m := installed(t)
	m.admin("systemctl enable --now jupyterhub")
	m.mustBeUp("enabled now")
	var storm sync.WaitGroup
	for range 20 {
		storm.Go(func() {
			for range 25 {
				c, err := m.bed.Dial(m.Context(), "unix", "/run/jupyterhub/pam.sock")
				if err != nil {
					m.Errorf("knock: %v", err)
					return
				}
				c.Close()
			}
		})
	}
	storm.Wait()
	// What came over MaxConnections= was hung up on, and so is a login as long as the storm's processes are being counted down.
	ctx, cancel := context.WithTimeout(m.Context(), time.Minute)
	defer cancel()
	for err := m.login(ctx, "alice"); err != nil; err = m.login(ctx, "alice") {
		if ctx.Err() != nil {
			m.Fatalf("a minute after five hundred connections: %v", err)
		}
	}
	m.mustBeUp("after a storm")
}

// login holds a conversation at the login door, as root does to try it.
func (m machine) login(ctx context.Context, user string) error {
	cmd := m.bed.Cmd(ctx, "jupyterhub", "check-login", user)
	cmd.Stdin = strings.NewReader(m.bed.Password(user) + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// `make install` as it stands goes to /usr/local, programs and units together, on a machine that never saw the product.
func TestInstalledInUsrLocal(t *testing.T) {
	t.Parallel()
	testbed.Needed(t)
	if err := testbed.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := fresh(t)
	m.admin("make --silent -C /usr/src/jupyterhub install && systemctl enable --now jupyterhub")
	m.mustBeUp("installed in /usr/local")
	if left := m.admin("grep -l /usr/libexec /usr/local/lib/systemd/system/* || true"); left != "" {
		m.Errorf("still lead to /usr/libexec: %s", left)
	}
	if left := m.admin("ls -d /usr/libexec/jupyterhub /usr/lib/systemd/system/jupyter* 2>/dev/null || true"); left != "" {
		m.Errorf("installed in /usr: %s", left)
	}
	// The server's first process is one of ours, too.
	const api = "curl --silent --show-error --fail --unix-socket /run/jupyterhub/admin.sock --request POST http://hub/hub/api/users/alice"
	m.admin("mkdir -p /etc/jupyterhub/jupyterhub.toml.d && printf '[spawner]\\ncmd = [\"" + testbed.SingleUser() +
		"\"]\\n' >/etc/jupyterhub/jupyterhub.toml.d/local.toml && systemctl reload jupyterhub")
	m.admin(api + " && " + api + "/server")
	if _, err := m.bed.AwaitUnit(m.Context(), "jupyter-alice.service", "active"); err != nil {
		m.Error(err)
	}
}

// What `make install` puts where is a promise to packagers: the list is testdata/installed.
func TestInstalledFiles(t *testing.T) {
	t.Parallel()
	m := installed(t)
	got := m.admin(`make --silent -C /usr/src/jupyterhub install PREFIX=/usr DESTDIR=/tmp/stage && cd /tmp/stage &&
		find . -type f -printf '%m %P\n' -o -type l -printf 'link %P -> %l\n' | LC_ALL=C sort -k 2`)
	want, err := os.ReadFile("testdata/installed")
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("testdata/installed is out of date; installed is\n%s", got)
	}
	if strays := m.admin("find /tmp/stage -not -user root -o -perm /022 -not -type l"); strays != "" {
		t.Errorf("not root's alone: %s", strays)
	}
}

// The Debian package that `make deb` builds installs, upgrades, and goes as an admin expects.
func TestDebianPackage(t *testing.T) {
	t.Parallel()
	deb := os.Getenv("DEB")
	if deb == "" {
		t.Skip("make release-check builds the package and names it in DEB")
	}
	m := fresh(t)
	const second, theirs = "/usr/bin/configurable-http-proxy", "what npm put there"
	m.admin("echo '" + theirs + "' >" + second)
	install := "dpkg --install /usr/src/jupyterhub/" + deb
	m.admin(install)
	m.mustBeDown("installed")
	m.admin("systemctl enable --now jupyterhub")
	m.mustBeUp("enabled now")
	if says := m.admin(second + " --version"); !strings.Contains(says, "in the place of configurable-http-proxy") {
		m.Errorf("%s says %s", second, says)
	}
	process, invocation := m.admin("systemctl show -P MainPID jupyterhub-proxy"), m.admin("systemctl show -P InvocationID jupyterhub-proxy")
	m.admin(install)
	m.mustBeUp("upgraded")
	if m.admin("systemctl show -P InvocationID jupyterhub-proxy") != invocation {
		m.Error("an upgrade restarted the proxy, which holds people's connections")
	}
	if m.admin("systemctl show -P MainPID jupyterhub-proxy") == process {
		m.Error("after an upgrade the proxy is the old one")
	}
	m.admin("dpkg --remove jupyterhubd")
	m.mustBeDown("removed")
	if left := m.admin("cat " + second); left != theirs {
		m.Errorf("%s is %q", second, left)
	}
	m.admin("test -e /var/lib/jupyterhub/jupyterhub.db && dpkg --purge jupyterhubd")
	if left := m.admin("find /etc/jupyterhub /var/lib -maxdepth 1 -name 'jupyterhub*' 2>/dev/null || true"); left != "" {
		m.Errorf("purged, there is left:\n%s", left)
	}
}
