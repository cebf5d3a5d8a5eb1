package daemon

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// acceptedName is what systemd calls the connection that it hands to an instance of an Accept=yes socket.
const acceptedName = "connection"

func takeFiles() map[string][]*os.File {
	files := make(map[string][]*os.File)
	for _, f := range activation.Files(true) {
		files[f.Name()] = append(files[f.Name()], f)
	}
	return files
}

// Listener returns the one listener that systemd handed over under the name. It can be taken once. Closing it leaves a Unix
// socket's file alone, which is the socket unit's.
func (d *Daemon) Listener(name string) (net.Listener, error) {
	all, err := d.Listeners(name)
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		for _, l := range all {
			l.Close()
		}
		return nil, fmt.Errorf("systemd handed over %d sockets named %q, and %s has a use for one: keep one ListenStream= in %s",
			len(all), name, d.program.Name, d.unitOf(name))
	}
	return all[0], nil
}

// Listeners returns all listeners that systemd handed over under the name, at least one. They can be taken once.
func (d *Daemon) Listeners(name string) ([]net.Listener, error) {
	files := d.files[name]
	delete(d.files, name)
	if len(files) == 0 {
		return nil, d.missing(name)
	}
	var all []net.Listener
	for _, f := range files {
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("take the socket named %q from systemd: %w", name, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// Handed reports whether systemd handed over a socket of that name that was not taken yet, for doors that may be absent.
func (d *Daemon) Handed(name string) bool { return len(d.files[name]) > 0 }

// Conn returns the connection that an Accept=yes socket started this process for.
func (d *Daemon) Conn() (net.Conn, error) {
	files := d.files[acceptedName]
	delete(d.files, acceptedName)
	if len(files) != 1 {
		return nil, d.missing(acceptedName)
	}
	defer files[0].Close()
	c, err := net.FileConn(files[0])
	if err != nil {
		return nil, fmt.Errorf("take the connection from systemd: %w", err)
	}
	return c, nil
}

// missing is the error of a program that was started by hand.
func (d *Daemon) missing(name string) error {
	if len(d.program.Doors) == 0 {
		return fmt.Errorf("systemd handed over no socket named %q", name)
	}
	units := make([]string, 0, len(d.program.Doors))
	for _, unit := range d.program.Doors {
		units = append(units, unit)
	}
	slices.Sort(units)
	return fmt.Errorf("systemd handed over no socket named %q: %s takes its doors from systemd and opens none itself; say: systemctl start %s",
		name, d.program.Name, strings.Join(units, " "))
}

func (d *Daemon) unitOf(name string) string {
	if unit, ok := d.program.Doors[name]; ok {
		return unit
	}
	return "its socket unit"
}
