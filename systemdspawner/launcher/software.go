package launcher

import (
	"path/filepath"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// Software is where a server's programs come from, if not from the machine's own tree: another tree in its place, as a directory or an
// image, and what is laid over /usr and /opt of either. All of it has to be root's alone.
type Software struct {
	RootDirectory, RootImage              string
	ExtensionDirectories, ExtensionImages []string
}

func (s Software) other() bool    { return s.RootDirectory != "" || s.RootImage != "" }
func (s Software) extended() bool { return len(s.ExtensionDirectories)+len(s.ExtensionImages) > 0 }

// find returns the program that servers run, as it is called where they run. What an image holds is not looked at: there the name has
// to be a whole path.
func (s Software) find(name string, searchPath []string) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	if s.RootImage == "" && !s.extended() {
		return tree(s.RootDirectory).find(name, searchPath)
	}
	if s.RootImage == "" {
		if path, err := tree(s.RootDirectory).find(name, searchPath); err == nil {
			return path, nil
		}
	}
	if !filepath.IsAbs(name) {
		return "", hub.Errorf(hub.Invalid, "%q cannot be looked up in an image: name the command with its whole path there", name)
	}
	return name, nil
}

// check refuses trees and images that somebody other than root could change.
func (s Software) check() error {
	for _, path := range append(append([]string{s.RootDirectory, s.RootImage}, s.ExtensionDirectories...), s.ExtensionImages...) {
		if path == "" {
			continue
		}
		if _, err := tree("").resolve(path); err != nil {
			return err
		}
	}
	return nil
}

// extension is the bus's form of ExtensionImages=.
type extension struct {
	Path     string
	Optional bool
	Options  []struct{ Partition, Options string }
}

// imageDevices are what systemd touches for an image, in the unit's own control group. It lets itself in for RootImage=, but 252 does not
// for ExtensionImages=. Servers have no nodes of them.
var imageDevices = []mount{{"/dev/loop-control", "rw"}, {"block-loop", "rwm"}, {"block-blkext", "rwm"}, {"/dev/mapper/control", "rw"}, {"block-device-mapper", "rwm"}}

// shutsDevices reports whether the unit's control group lets in devices of a list alone. Without such a list one more would make it one.
func shutsDevices(o Order) bool {
	table := o.Settings.properties()
	policy, is := table["DevicePolicy"]
	return table["PrivateDevices"] == true || len(o.Devices) > 0 || is && policy != "auto"
}

// found are files of the machine's own that programs in another tree ask for: who the user is, and where names of hosts come from.
var found = []string{"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/localtime", "/etc/resolv.conf"}

// software puts other trees where servers see them. The first process comes from the machine, and so does the home directory.
func software(l Layout, o Order) []sd.Property {
	s := o.Settings.Software
	var all []sd.Property
	if len(s.ExtensionDirectories) > 0 {
		all = append(all, prop("ExtensionDirectories", s.ExtensionDirectories))
	}
	if len(s.ExtensionImages) > 0 {
		images := make([]extension, len(s.ExtensionImages))
		for i, path := range s.ExtensionImages {
			images[i] = extension{Path: path, Options: []struct{ Partition, Options string }{}}
		}
		all = append(all, prop("ExtensionImages", images))
		if s.RootImage == "" && shutsDevices(o) {
			all = append(all, prop("DeviceAllow", imageDevices))
		}
	}
	if !s.other() {
		return all
	}
	if s.RootImage != "" {
		all = append(all, prop("RootImage", s.RootImage))
	} else {
		all = append(all, prop("RootDirectory", s.RootDirectory))
	}
	shown := []bind{{From: l.Exec, To: l.Exec}}
	for _, path := range found {
		shown = append(shown, bind{From: path, To: path, Optional: true})
	}
	all = append(all, prop("MountAPIVFS", true), prop("BindReadOnlyPaths", shown))
	if !o.Person.Guest { // systemd brings their homes itself
		home := o.Person.Account.Home
		all = append(all, prop("BindPaths", []bind{{From: home, To: home, Flags: recursive}}))
	}
	return all
}
