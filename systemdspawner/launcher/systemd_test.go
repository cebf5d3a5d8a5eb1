package launcher

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// machine boots a systemd without the product and returns its bus.
func machine(t *testing.T) (*testbed.Bed, *sd.Conn) {
	t.Helper()
	testbed.Needed(t)
	bed, err := testbed.Boot(t.Context(), testbed.Options{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.End(); err != nil {
			t.Error(err)
		}
	})
	bus, err := bed.Bus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return bed, bus
}

// forgotten are properties that systemd 252 does not find again in the file that it wrote for a transient unit, so that a
// unit which systemd itself starts anew after a daemon-reload has them no more.
var forgotten = map[string]string{
	"RestrictNamespaces": "none allowed is written as an empty line, which reads as the default",
}

// TestARealSystemdTakesEveryPropertyAndKeepsIt starts, for every property that a configuration can give, a unit with it, and
// reads systemd's units again as an admin's daemon-reload does.
func TestARealSystemdTakesEveryPropertyAndKeepsIt(t *testing.T) {
	bed, bus := machine(t)
	units := map[string]string{}
	before := map[string]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		s := ordinary()
		s.Sandbox = map[string]any{name: samples[name].value}
		unit := start(t, bus, name, s)
		units[name] = unit
		before[name] = read(t, bus, unit)
	}
	if _, err := bed.Systemctl(t.Context(), "daemon-reload"); err != nil {
		t.Fatal(err)
	}
	for name, unit := range units {
		after := read(t, bus, unit)
		for property, value := range before[name] {
			if text(value) != text(after[property]) && forgotten[property] == "" && !changes[property] {
				t.Errorf("%s: after a daemon-reload %s is %v, not %v", name, property, after[property], value)
			}
		}
	}
}

// changes are properties that change by themselves.
var changes = map[string]bool{"ActiveState": true, "SubState": true}

// start starts a unit of alice's with the given settings, and fails the test when systemd refuses a property. Whether the
// program then runs does not matter here; the unit stays loaded either way.
func start(t *testing.T, bus *sd.Conn, name string, s Settings) string {
	t.Helper()
	c, err := Compose(DefaultLayout(), order(alice, name, s))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := bus.StartTransientUnitContext(ctx, c.Unit, "fail", c.Properties, done); err != nil {
		t.Fatalf("%s=%v: %v", name, s.Sandbox[name], err)
	}
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("%s: the job does not end", name)
	}
	return c.Unit
}

func read(t *testing.T, bus *sd.Conn, unit string) map[string]any {
	t.Helper()
	all, err := bus.GetAllPropertiesContext(t.Context(), unit)
	if err != nil {
		t.Fatal(err)
	}
	if ref, ours := seen(all).ours(unit); !ours || ref.User != "alice" {
		t.Errorf("%s is not taken for ours", unit)
	}
	kept := map[string]any{}
	for name := range properties {
		if value, ok := all[name]; ok {
			kept[name] = value
		}
	}
	for _, name := range []string{"CPUQuotaPerSecUSec", "Environment", "ExecStart", "ExecStopPost", "KillMode", "LoadCredential",
		"LogExtraFields", "MemoryMax", "OOMPolicy", "Slice", "TasksMax", "User", "WorkingDirectory"} {
		kept[name] = all[name]
	}
	return kept
}

// text writes a value. ExecStart= and ExecStopPost= carry when they last ran: of those only the command is compared. The
// order of address ranges has no meaning.
func text(value any) string {
	list, ok := value.([][]any)
	if !ok {
		return fmt.Sprint(value)
	}
	parts := make([]string, 0, len(list))
	for _, part := range list {
		parts = append(parts, fmt.Sprint(part[:min(3, len(part))]))
	}
	slices.Sort(parts)
	return fmt.Sprint(parts)
}

func TestHomesMayHaveAnyName(t *testing.T) {
	_, bus := machine(t)
	o := order(bob, "", ordinary())
	c, err := Compose(DefaultLayout(), o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	if _, err := bus.StartTransientUnitContext(t.Context(), c.Unit, "fail", c.Properties, done); err != nil {
		t.Fatal(err)
	}
	<-done
	all, err := bus.GetAllPropertiesContext(t.Context(), c.Unit)
	if err != nil || all["WorkingDirectory"] != bob.Home || all["RequiresMountsFor"] == nil {
		t.Errorf("home %q became %q, %v", bob.Home, all["WorkingDirectory"], err)
	}
	if ref, ours := seen(all).ours(c.Unit); !ours || ref != (hub.ServerRef{User: "bob"}) {
		t.Errorf("taken for %v, %t", ref, ours)
	}
}
