package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"jupyterhubd/hub"
)

// bus is one connection to systemd, until it breaks.
type bus struct {
	*sd.Conn
	gone    <-chan struct{}           // closed when it is of no more use
	changes chan *sd.PropertiesUpdate // of every unit on the machine
	missed  chan error                // changes were dropped: look at everything again
	kicks   chan string               // names of units to look at without waiting for a change
}

// privateSocket is systemd's own door for root. It needs no broker, so servers start while dbus-daemon is restarted.
const privateSocket = "unix:path=/run/systemd/private"

// maxChanges is how many changes may wait to be read. They are read without waiting for anything.
const maxChanges = 4096

// connect opens systemd's private socket or, where that is closed to us, the system bus, and subscribes to changes.
func connect(ctx context.Context) (*bus, error) {
	ctx, cancel := context.WithCancel(ctx)
	wire, err := dial(ctx, cancel)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	// go-systemd wants a connection for calls and one for signals. On its own socket systemd sends every signal over each connection
	// that there is, so that two would cost it and us twice as much.
	conn, err := sd.NewConnection(func() (*dbus.Conn, error) { return wire, nil })
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	b := &bus{
		Conn: conn, gone: ctx.Done(), kicks: make(chan string),
		changes: make(chan *sd.PropertiesUpdate, maxChanges), missed: make(chan error, 1),
	}
	conn.SetPropertiesSubscriber(b.changes, b.missed)
	if err := conn.Subscribe(); err != nil {
		b.close()
		return nil, fmt.Errorf("subscribe to systemd's signals: %w", err)
	}
	return b, nil
}

// works reports whether there is a connection, and it has not broken.
func (b *bus) works() bool {
	if b == nil {
		return false
	}
	select {
	case <-b.gone:
		return false
	default:
		return true
	}
}

func (b *bus) close() { b.Conn.Close() }

// await waits for a job and returns how it ended.
func (b *bus) await(ctx context.Context, done <-chan string) (string, error) {
	select {
	case job := <-done:
		return job, nil
	case <-b.gone:
		return "", hub.Errorf(hub.Unavailable, notConnected)
	case <-ctx.Done():
		return "", &hub.Error{Kind: hub.Unavailable, Text: "systemd did not answer in time", Err: ctx.Err()}
	}
}

// dial connects to systemd. When the connection ends, lost is called.
func dial(ctx context.Context, lost func()) (*dbus.Conn, error) {
	// Signals in their order: a unit that is active and then failed must not be seen the other way round. This handler also puts
	// aside what nobody has read yet, so that the answers behind it arrive.
	options := []dbus.ConnOption{dbus.WithContext(ctx), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler())}
	conn, err := dbus.Dial(privateSocket, options...)
	private := err == nil
	if err != nil {
		conn, err = dbus.SystemBusPrivate(options...)
	}
	if err != nil {
		return nil, err
	}
	// The uid by number: a name would be looked up.
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil && !private {
		err = conn.Hello()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	context.AfterFunc(conn.Context(), lost)
	return conn, nil
}

// isOurName reports whether a unit's name is one that ours have.
func isOurName(unit string) bool {
	return strings.HasPrefix(unit, "jupyter-") && strings.HasSuffix(unit, ".service")
}

// Errors of systemd by their names on the bus.
const (
	unitExists   = "org.freedesktop.systemd1.UnitExists"
	noSuchUnit   = "org.freedesktop.systemd1.NoSuchUnit"
	unitInactive = "org.freedesktop.systemd1.UnitInactive"
	notSupported = "org.freedesktop.DBus.Error.NotSupported"
	notConnected = "the connection to systemd is down; it is made again"
)

// isBusError reports whether err is systemd's error of that name.
func isBusError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}

// busError wraps what a call on the bus failed with. A connection that broke is Unavailable: the same call may do later.
func busError(err error, doing string) error {
	var e dbus.Error
	if errors.As(err, &e) {
		return refused(hub.Unknown, hub.CauseSystem, notSetUp, fmt.Errorf("%s: %w (%s)", doing, err, e.Name))
	}
	return &hub.Error{Kind: hub.Unavailable, Text: notConnected, Err: fmt.Errorf("%s: %w", doing, err)}
}
