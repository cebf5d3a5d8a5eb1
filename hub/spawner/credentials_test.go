package spawner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/store"
)

func TestIdentity(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.options.Policy.OAuthClientAllowedScopes = []string{"read:users:name!user"}
		h.SetPolicy(h.options.Policy)
		h.run(aliceLab)
		env := h.identify(aliceLab)
		token := env["JUPYTERHUB_API_TOKEN"]
		if len(token) != 32 || env["JPY_API_TOKEN"] != token {
			t.Errorf("the token is %q", token)
		}
		delete(env, "JUPYTERHUB_API_TOKEN")
		delete(env, "JPY_API_TOKEN")
		want := credential.Environment{
			"JUPYTERHUB_ACTIVITY_URL":                "http://127.0.0.1:8081/hub/api/users/alice/activity",
			"JUPYTERHUB_API_URL":                     "http://127.0.0.1:8081/hub/api",
			"JUPYTERHUB_BASE_URL":                    "/",
			"JUPYTERHUB_CLIENT_ID":                   "jupyterhub-user-alice-lab",
			"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED":  "0",
			"JUPYTERHUB_HOST":                        "",
			"JUPYTERHUB_OAUTH_ACCESS_SCOPES":         `["access:servers!server=alice/lab","access:servers!user=alice"]`,
			"JUPYTERHUB_OAUTH_CALLBACK_URL":          "/user/alice/lab/oauth_callback",
			"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": `["read:users:name!user"]`,
			"JUPYTERHUB_OAUTH_SCOPES":                `["access:servers!server=alice/lab","access:servers!user=alice"]`,
			"JUPYTERHUB_PUBLIC_HUB_URL":              "",
			"JUPYTERHUB_PUBLIC_URL":                  "",
			"JUPYTERHUB_SERVER_NAME":                 "lab",
			"JUPYTERHUB_SERVICE_PREFIX":              "/user/alice/lab/",
			"JUPYTERHUB_SERVICE_URL":                 "http://127.0.0.1:8888/user/alice/lab/",
			"JUPYTERHUB_USER":                        "alice",
		}
		if !maps.Equal(env, want) {
			t.Errorf("the environment is %q, want %q", env, want)
		}
		h.update(func(tx *store.Tx) error {
			if err := tx.CheckClientSecret("jupyterhub-user-alice-lab", token); err != nil {
				t.Errorf("the client's secret is another: %v", err)
			}
			got, err := tx.TokenByValue(token)
			if !got.ServerToken || got.Note != "Server at /user/alice/lab/" ||
				strings.Join(got.Scopes, " ") != "users:activity!user access:servers!server=alice/lab" {
				t.Errorf("the token is %+v", got)
			}
			return err
		})
	})
}

// systemd restarts a unit: it fetches its credential again, and its former token is good for nothing.
func TestIdentityIsMintedAnewForEachInvocation(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		first, second := h.identify(alice)["JUPYTERHUB_API_TOKEN"], h.identify(alice)["JUPYTERHUB_API_TOKEN"]
		h.update(func(tx *store.Tx) error {
			if _, err := tx.TokenByValue(first); hub.KindOf(err) != hub.NotFound {
				t.Errorf("the former token: %v", err)
			}
			if err := tx.CheckClientSecret("jupyterhub-user-alice", first); err == nil {
				t.Error("the former secret is good")
			}
			_, err := tx.TokenByValue(second)
			return err
		})
	})
}

// A hub that has just started answers as soon as it is told whose unit asks, though that may take a while.
func TestIdentityBeforeTheFirstInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		defer h.close()
		if _, err := h.machine.Start(t.Context(), alice, "", nil); err != nil {
			t.Fatal(err)
		}
		h.machine.Crash()
		h.wish(hub.Server{ServerRef: alice, BootID: "boot-0"})
		h.open()
		answered := make(chan credential.Environment, 1)
		go func() { answered <- h.identify(alice) }()
		sleep(20 * time.Second)
		select {
		case <-answered:
			t.Fatal("it was answered, and nobody has said whose unit it is")
		default:
		}
		h.machine.Return()
		if env := <-answered; env["JUPYTERHUB_USER"] != "alice" {
			t.Errorf("it is %q's", env["JUPYTERHUB_USER"])
		}
	})
}

// The hub takes the names of units from who composes them, and holds on to them when the template is another one.
func TestTheHubTakesNamesFromTheSpawner(t *testing.T) {
	names := func(template string) hub.UnitNames {
		t.Helper()
		n, err := hub.ParseUnitTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	play(t, func(t *testing.T, h *house) {
		h.machine.Rename(names("jupyter-{USERNAME}-singleuser"))
		h.run(alice)
		h.machine.Rename(names("jupyter-{SERVERNAME}-{USERNAME}"))
		h.run(aliceLab)
		for ref, want := range map[hub.ServerRef]string{alice: "jupyter-alice-singleuser.service", aliceLab: "jupyter-lab-alice.service"} {
			if got, err := h.Server(ref); err != nil || got.Unit.Name != want {
				t.Errorf("%s runs as %s, %v", ref, got.Unit.Name, err)
			}
			if env := h.identify(ref); env["JUPYTERHUB_USER"] != "alice" || env["JUPYTERHUB_SERVER_NAME"] != ref.Server {
				t.Errorf("%s is told that it is %q's %q", want, env["JUPYTERHUB_USER"], env["JUPYTERHUB_SERVER_NAME"])
			}
		}
		h.stop()
		h.open()
		h.identify(alice)
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.run(alice)
		if got, _ := h.Server(alice); got.Unit.Name != "jupyter-alice.service" {
			t.Errorf("started again it is %s", got.Unit.Name)
		}
	})
}

// Vulnerability: an identity is given to whoever has the right name. Attack: a unit that the Spawner did not make is called as a wished
// server's would be. Verified: it gets nothing, at once for a name that is another unit's now, and in a while for one that nobody tells of.
func TestANameAloneIsNoIdentity(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		names, err := hub.ParseUnitTemplate("jupyter-{USERNAME}-singleuser")
		if err != nil {
			t.Fatal(err)
		}
		h.machine.Rename(names)
		h.run(alice)
		h.refuses("jupyter-alice.service", credential.Name)
	})
}

// refuses fails the test if a unit gets a credential.
func (h *house) refuses(unit, name string) {
	h.t.Helper()
	ctx, done := context.WithTimeout(h.t.Context(), time.Minute)
	defer done()
	if b, err := h.Credential(ctx, unit, name); hub.KindOf(err) != hub.NotFound || b != nil {
		h.t.Errorf("%q of %q: %q, %v", name, unit, b, err)
	}
}

func TestWhoGetsNoCredential(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice, bob)
		if _, err := h.Stop(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, q := range [][2]string{
			{"jupyter-bob.service", "environment"}, {"jupyter-carol.service", "environment"}, {"jupyter-alice-lab.service", "environment"},
			{"ssh.service", "environment"}, {"jupyter-alice", "environment"}, {"", "environment"},
			{"jupyter-alice.service", "token"}, {"jupyter-alice.service", ""}, {"", "token"},
		} {
			h.refuses(q[0], q[1])
		}
	})
}

// A name that is too long for a unit ends in a hash, which tells nobody whose it is.
func TestIdentityOfALongName(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		long := hub.ServerRef{User: strings.Repeat("ü", 40)}
		h.update(func(tx *store.Tx) error { _, err := tx.PutUser(hub.User{Name: long.User, UID: hub.NoUID}); return err })
		h.run(alice, long)
		if got := h.identify(long)["JUPYTERHUB_USER"]; got != long.User {
			t.Errorf("it is %q's", got)
		}
	})
}

// Vulnerability: user a-b, and server b of user a, are spelled alike in an OAuth client's id. Attack: mallory, who is "a",
// names a server so. Verified: the two have different clients, and the end of one leaves the other.
func TestClientIDsDoNotCollide(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		victim, attacker := hub.ServerRef{User: "alice-lab"}, aliceLab
		h.update(func(tx *store.Tx) error {
			_, err := tx.PutUser(hub.User{Name: victim.User, UID: hub.NoUID})
			return err
		})
		h.run(victim, attacker)
		first, second := h.identify(victim)["JUPYTERHUB_CLIENT_ID"], h.identify(attacker)["JUPYTERHUB_CLIENT_ID"]
		if first != "jupyterhub-user-alice-lab" || !strings.HasPrefix(second, first+"~") {
			t.Fatalf("the ids are %q and %q", first, second)
		}
		if _, err := h.Stop(t.Context(), attacker); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c, err := h.client(first); err != nil || c.Server != victim {
			t.Errorf("the victim's client is %+v, %v", c, err)
		}
		if _, err := h.client(second); hub.KindOf(err) != hub.NotFound {
			t.Errorf("the attacker's client: %v", err)
		}
	})
}

func TestServiceToken(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.update(func(tx *store.Tx) error {
			return tx.PutService(hub.Service{Name: "idle-culler", Unit: "jupyterhub-idle-culler.service"})
		})
		value, err := h.Credential(t.Context(), "jupyterhub-idle-culler.service", "token")
		if err != nil {
			t.Fatal(err)
		}
		good := func() (err error) {
			h.update(func(tx *store.Tx) error { _, err = tx.TokenByValue(string(value)); return nil })
			return err
		}
		if err := good(); err != nil {
			t.Error(err)
		}
		sleep(11 * time.Minute)
		if err := good(); err == nil {
			t.Error("it never expires")
		}
	})
}

// The door itself: PID 1 says by its address which unit it asks for.
func TestCredentialsDoor(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the door answers root alone, and this test is not")
	}
	h := build(t)
	t.Cleanup(func() { _ = h.store.Close() })
	h.wish(hub.Server{ServerRef: alice})
	if _, err := h.machine.Start(t.Context(), alice, "", nil); err != nil {
		t.Fatal(err)
	}
	h.Manager = spawner.New(h.options)
	path := filepath.Join(t.TempDir(), "credentials.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.ServeCredentials(ctx, l) }()
	running := make(chan error, 1)
	go func() { running <- h.Run(ctx) }()

	if env, err := credential.Decode(fetch(t, path, "@0123456789abcdef/unit/jupyter-alice.service/environment")); err != nil || env["JUPYTERHUB_USER"] != "alice" {
		t.Errorf("%q, %v", env, err)
	}
	for _, from := range []string{
		"", "@0123/unit/jupyter-alice.service/environment/x",
		"@/unit/jupyter-alice.service/environment", "@0123/system/jupyter-alice.service/environment",
	} {
		if from != "" {
			from = fmt.Sprintf("@%04x", os.Getpid()&0xffff) + strings.TrimPrefix(from, "@0123")
		}
		if b := fetch(t, path, from); len(b) != 0 {
			t.Errorf("%q got %q", from, b)
		}
	}
	unknown := knock(t, path, fmt.Sprintf("@%04x/unit/jupyter-bob.service/environment", os.Getpid()&0xffff))
	stop()
	if b, _ := io.ReadAll(unknown); len(b) != 0 {
		t.Errorf("a unit that nobody tells of got %q", b)
	}
	if err := errors.Join(<-ended, <-running); err != nil {
		t.Error(err)
	}
}

// fetch reads what the door answers to a connection from an address.
func fetch(t *testing.T, path, from string) []byte {
	t.Helper()
	b, err := io.ReadAll(knock(t, path, from))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// knock connects to the door from an address.
func knock(t *testing.T, path, from string) net.Conn {
	t.Helper()
	var local *net.UnixAddr
	if from != "" {
		local = &net.UnixAddr{Name: from, Net: "unix"}
	}
	c, err := net.DialUnix("unix", local, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
