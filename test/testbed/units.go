package testbed

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// Bus connects to the bed's service manager, as root. Whoever asks closes it.
func (b *Bed) Bus(ctx context.Context) (*dbus.Conn, error) {
	return dbus.NewConnection(func() (*godbus.Conn, error) {
		c, err := godbus.Dial("unix:path="+b.Path("/run/dbus/system_bus_socket"), godbus.WithContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("reach the bed's bus: %w", err)
		}
		if err := c.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
			c.Close()
			return nil, fmt.Errorf("introduce oneself to the bed's bus: %w", err)
		}
		if err := c.Hello(); err != nil {
			c.Close()
			return nil, fmt.Errorf("greet the bed's bus: %w", err)
		}
		return c, nil
	})
}

// AwaitUnit waits until a unit's ActiveState is one of the states, by the bus's signals, and returns it.
func (b *Bed) AwaitUnit(ctx context.Context, unit string, states ...string) (string, error) {
	return b.AwaitProperty(ctx, unit, "ActiveState", func(v any) bool { return slices.Contains(states, fmt.Sprint(v)) })
}

// AwaitProperty waits until a unit's property satisfies the condition, looking again with each change of the unit, and
// returns it as text.
func (b *Bed) AwaitProperty(ctx context.Context, unit, property string, good func(any) bool) (string, error) {
	conn, err := b.Bus(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.Subscribe(); err != nil {
		return "", fmt.Errorf("subscribe to the service manager: %w", err)
	}
	changes := make(chan *dbus.PropertiesUpdate, 256)
	lost := make(chan error, 256)
	conn.SetPropertiesSubscriber(changes, lost)
	for {
		now, err := conn.GetAllPropertiesContext(ctx, unit)
		if err != nil {
			return "", fmt.Errorf("ask for %s of %s: %w", property, unit, err)
		}
		if good(now[property]) {
			return fmt.Sprint(now[property]), nil
		}
		if err := awaitChange(ctx, changes, lost, unit); err != nil {
			return "", fmt.Errorf("wait for %s of %s, now %v: %w", property, unit, now[property], err)
		}
	}
}

func awaitChange(ctx context.Context, changes <-chan *dbus.PropertiesUpdate, lost <-chan error, unit string) error {
	for {
		select {
		case c := <-changes:
			if c.UnitName == unit {
				return nil
			}
		case <-lost: // too many changes at once: look again
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
