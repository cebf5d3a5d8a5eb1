package launcher

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
)

// Layout is where things stand on the machine.
type Layout struct {
	Exec        string   // jupyterhub-exec
	Credentials string   // socket of the hub that PID 1 fetches credentials from
	Sockets     string   // directory of the users' socket directories, writable by root alone
	Hidden      []string // what users' units do not see
}

// DefaultLayout is where `make install PREFIX=/usr` puts things.
func DefaultLayout() Layout {
	return Layout{
		Exec:        "/usr/libexec/jupyterhub/jupyterhub-exec",
		Credentials: "/run/jupyterhub/credentials.sock",
		Sockets:     "/run/jupyter",
		Hidden:      []string{"/run/jupyterhub", "/run/jupyterhub-proxy"},
	}
}

// Order is one unit to compose: everything that was decided about it.
type Order struct {
	hub.ServerRef
	Unit         string // its name
	Person       Person // whose User is the reference's
	Profile      string // "" for none
	Settings     Settings
	Command      string   // Settings.Command[0] as it was found on this machine
	Devices      []string // Settings.DeviceAllow with its patterns resolved
	Home         string   // what of the path of the person's home root can look at; "" is all of it
	StartTimeout time.Duration
}

// Composition is a unit as it goes to systemd.
type Composition struct {
	Unit       string
	Slice      string
	Slices     []Slice // that have limits of their own, from the outside in
	Socket     string
	Properties []sd.Property
}

// Stopping gives a server this long between SIGTERM to its first process and SIGKILL to all of them: JupyterLab stops its
// kernels in it.
const stopTimeout = 20 * time.Second

// Compose decides every property of a unit. It is a pure function: what it says is what golden files show.
func Compose(l Layout, o Order) (Composition, error) {
	c := Composition{Unit: o.Unit}
	c.Slice, c.Slices = slicesFor(o)
	c.Socket = socketPath(l.Sockets, c.Unit)
	settings := fill(o.Settings.properties(), o, c.Socket)
	covers := coversFor(l, o, settings)
	table, err := readAll(settings)
	if err != nil {
		return Composition{}, err
	}
	c.Properties = append(c.Properties, identity(o, c)...)
	c.Properties = append(c.Properties, process(l, o, c)...)
	c.Properties = append(c.Properties, person(o)...)
	c.Properties = append(c.Properties, limits(o.Settings)...)
	networks, err := networks(o.Settings)
	if err != nil {
		return Composition{}, err
	}
	c.Properties = append(c.Properties, networks...)
	c.Properties = append(c.Properties, covers...)
	c.Properties = append(c.Properties, view(l, o, c)...)
	c.Properties = append(c.Properties, software(l, o)...)
	c.Properties = append(c.Properties, witness(l, c))
	c.Properties = append(c.Properties, nothingToGain(o)...)
	c.Properties = append(c.Properties, table...)
	c.Properties = append(c.Properties, nowhere(o)...)
	c.Properties = append(c.Properties, devices(o.Devices)...)
	return c, nil
}

// identity says what the unit is, to systemd, to the journal and to us.
func identity(o Order, c Composition) []sd.Property {
	what := "Jupyter server of " + o.User
	if o.Server != "" {
		what = fmt.Sprintf("Jupyter server %s of %s", o.Server, o.User)
	}
	fields := [][]byte{mark(markUnit, c.Unit), mark(markUser, o.User), mark(markServer, o.Server)}
	if o.Profile != "" {
		fields = append(fields, mark(markProfile, o.Profile))
	}
	if o.Person.Other {
		fields = append(fields, mark(markAccount, o.Person.Account.Name))
	}
	if chosen, err := json.Marshal(o.Settings.Chosen); err == nil && len(o.Settings.Chosen) > 0 {
		fields = append(fields, mark(markOptions, string(chosen)))
	}
	return []sd.Property{
		prop("Description", what),
		prop("Slice", c.Slice),
		prop("CollectMode", "inactive"), // a failed unit stays until its cause was read
		prop("LogExtraFields", fields),
		prop("SyslogIdentifier", filepath.Base(o.Command)),
		// One person's output shall not push everybody's messages out of the system's journal. The configuration can
		// say otherwise: the later property wins.
		prop("LogRateLimitIntervalUSec", uint64(30*time.Second/time.Microsecond)),
		prop("LogRateLimitBurst", uint32(1000)),
		// Ordered after what homes may lie on. After the daemons is jupyter.slice, and not each server: while one ends, which may take
		// its time, systemd starts nothing that the one is ordered after.
		prop("After", []string{"remote-fs.target", "nss-user-lookup.target"}),
		prop("RequiresMountsFor", []string{plain(o.Person.Account.Home)}),
	}
}

// plain returns the path, or where it leads through a name with spaces or signs, what is before. Systemd 252 writes the path of
// RequiresMountsFor= into the unit as it is, and reads it as words at the next daemon-reload.
func plain(path string) string {
	for strings.ContainsAny(path, " \t\r\n\"'\\%") {
		path = filepath.Dir(path)
	}
	return path
}

// process says what runs, as whom, and how it ends.
func process(l Layout, o Order, c Composition) []sd.Property {
	return []sd.Property{
		prop("Type", "exec"), // active means that the program runs, not merely that a fork did
		prop("ExecStart", []command{{l.Exec, withoutDollars(argv(l, o, c)), false}}),
		prop("WorkingDirectory", workingDir(o, c)),
		prop("Environment", environment(o, c)),
		prop("LoadCredential", []mount{{credential.Name, l.Credentials}}),
		prop("StandardInput", "null"),
		prop("StandardOutput", "journal"),
		prop("StandardError", "journal"),
		prop("TimeoutStartUSec", uint64(o.StartTimeout.Microseconds())),
		prop("TimeoutStopUSec", uint64(stopTimeout.Microseconds())),
		// JupyterLab stops its kernels itself; what is left then is killed. Programs that report the signal which asked them
		// to end have not failed.
		prop("KillMode", "mixed"),
		prop("SuccessExitStatus", exits{Statuses: []int32{128 + 2, 128 + 15}, Signals: []int32{}}),
		// Pipes in a terminal end as they do elsewhere.
		prop("IgnoreSIGPIPE", false),
	}
}

// command is the bus's form of ExecStart=. There is one with more flags, ExecStartEx=, but systemd 252 writes it down under
// a name that it does not know when it reads its units again (daemon-reload).
type command struct {
	Path          string
	Argv          []string
	IgnoreFailure bool
}

// literal keeps systemd from putting variables in: the texts are the configuration's, word by word.
func literal(argv []string) []string {
	all := make([]string, len(argv))
	for i, a := range argv {
		all[i] = strings.ReplaceAll(a, "$", "$$")
	}
	return all
}

// dollarFlag tells jupyterhub-exec that %24 in the command that follows is a dollar sign, and %25 a percent sign.
const dollarFlag = "--dollars"

// withoutDollars is literal for a command line of jupyterhub-exec. Systemd 252 writes "$$" into the unit's file as it reads it nowhere:
// after a daemon-reload a unit that is started anew would get another command.
func withoutDollars(argv []string) []string {
	at := slices.Index(argv, "--")
	if !slices.ContainsFunc(argv, func(a string) bool { return strings.Contains(a, "$") }) || at < 0 {
		return argv
	}
	encode := strings.NewReplacer("%", "%25", "$", "%24")
	all := append(slices.Clone(argv[:at]), dollarFlag, "--")
	for _, a := range argv[at+1:] {
		all = append(all, encode.Replace(a))
	}
	return all
}

// person says as whom.
func person(o Order) []sd.Property {
	if o.Person.Guest {
		return guest(o)
	}
	// The number that was looked up and judged, not the name: a name could be looked up differently the second time.
	return []sd.Property{prop("User", fmt.Sprint(o.Person.Account.UID))}
}

// nothingToGain takes every capability out of reach where set-uid programs gain nothing, as is the default: for good measure, and for
// whatever finds a way around that. The configuration can say otherwise: the later property wins.
func nothingToGain(o Order) []sd.Property {
	if o.Settings.properties()["NoNewPrivileges"] != true {
		return nil
	}
	return []sd.Property{prop("CapabilityBoundingSet", uint64(0))}
}

// exits is the bus's form of SuccessExitStatus=.
type exits struct{ Statuses, Signals []int32 }

// witness makes jupyterhub-exec the unit's last process, as the user and in the unit's control groups. A user who plays it
// deceives nobody but herself about why her server ended; for less than a second of processor time she is believed, too.
func witness(l Layout, c Composition) sd.Property {
	argv := []string{l.Exec, "--witness", filepath.Join(filepath.Dir(c.Socket), testimonyName)}
	return prop("ExecStopPost", []command{{l.Exec, argv, true}})
}

// argv is jupyterhub-exec's command line and, after "--", the server's. The variables of jupyterhub-singleuser cannot say
// "Unix socket", so its command line does (JUPYTERHUB_SERVICE_URL has to name port 8888 then, which is the hub's part).
// Whatever is told another way has {socket} in its own arguments, or a port.
func argv(l Layout, o Order, c Composition) []string {
	own := slices.Concat(o.Settings.Command[1:], o.Settings.Args)
	all := []string{l.Exec, "--socket", c.Socket}
	if o.Person.Guest {
		all = append(all, "--guest")
	}
	switch {
	case o.Settings.TCP:
		all = append(all, "--tcp")
	case !slices.ContainsFunc(own, func(a string) bool { return strings.Contains(a, "{socket}") }):
		own = append(own, "--ServerApp.sock={socket}", "--ServerApp.sock_mode=0666")
	}
	all = append(all, "--", o.Command)
	for _, a := range own {
		all = append(all, replacer(o, c.Socket).Replace(a))
	}
	return all
}

func workingDir(o Order, c Composition) string {
	if o.Settings.WorkingDir == "" {
		return o.Person.Account.Home
	}
	return replacer(o, c.Socket).Replace(o.Settings.WorkingDir)
}

// view is what the unit sees of /run: of the socket directories its own alone. The home directory is writable whatever the sandbox
// says of the rest.
func view(l Layout, o Order, c Composition) []sd.Property {
	own := filepath.Dir(c.Socket)
	all := []sd.Property{
		prop("TemporaryFileSystem", []mount{{l.Sockets, "ro,mode=0711"}}),
		prop("BindPaths", []bind{{From: own, To: own}}),
	}
	fill := func(paths []string) []string {
		filled := make([]string, len(paths))
		for i, p := range paths {
			filled[i] = replacer(o, c.Socket).Replace(p)
		}
		return filled
	}
	if readable := fill(o.Settings.ReadOnly); len(readable) > 0 {
		all = append(all, prop("ReadOnlyPaths", readable))
	}
	if writable := append(writable(o), fill(o.Settings.ReadWrite)...); len(writable) > 0 {
		all = append(all, prop("ReadWritePaths", writable))
	}
	return all
}

// readOnly are the trees that the values of ProtectSystem= take away.
var readOnly = map[string][]string{
	"strict": {"/"},
	"full":   {"/usr/", "/boot/", "/efi/", "/etc/"},
	"yes":    {"/usr/", "/boot/", "/efi/"},
	"true":   {"/usr/", "/boot/", "/efi/"},
}

// writable is what ProtectSystem= would take away and a person needs. The paths are named only where they are needed:
// systemd has to reach them as root, which some network file systems refuse.
func writable(o Order) []string {
	if o.Person.Guest {
		return nil // systemd lets them write where they may
	}
	table := o.Settings.properties()
	taken := readOnly[fmt.Sprint(table["ProtectSystem"])]
	var paths []string
	for _, path := range []string{o.Person.Account.Home, "/tmp", "/var/tmp"} {
		private := path != o.Person.Account.Home && table["PrivateTmp"] == true
		below := func(tree string) bool { return strings.HasPrefix(path, tree) }
		if !private && slices.ContainsFunc(taken, below) {
			if path == o.Person.Account.Home && o.Home != "" {
				path = o.Home
			}
			paths = append(paths, inTree(o, path))
		}
	}
	return paths
}

// inTree names a path of the tree that the server sees, which may be missing.
func inTree(o Order, path string) string {
	if o.Settings.Software.other() {
		return "-+" + path
	}
	return "-" + path
}

// devices opens the named devices. PrivateDevices= would hide them, so it gives way to a list of what is allowed.
func devices(nodes []string) []sd.Property {
	if len(nodes) == 0 {
		return nil
	}
	allow := make([]mount, 0, len(nodes))
	for _, node := range nodes {
		allow = append(allow, mount{node, "rw"})
	}
	return []sd.Property{
		prop("PrivateDevices", false),
		prop("DevicePolicy", "closed"),
		prop("DeviceAllow", allow),
	}
}
