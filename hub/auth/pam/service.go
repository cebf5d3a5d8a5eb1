package pam

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"jupyterhubd/hub"
)

// serviceDirs are the places where Linux-PAM looks for a service file, the admin's own before the vendor's.
var serviceDirs = []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d"}

// CheckService returns nil if PAM knows the service, and otherwise an Unavailable error that names the remedy. Without this
// check PAM would take the service "other" and refuse every password, with nothing to tell why.
func CheckService(name string) error { return checkService(name, serviceDirs) }

// CheckGuestService is CheckService for the service of guests, which no package brings.
func CheckGuestService(name string) error {
	err := checkService(name, serviceDirs)
	if hub.KindOf(err) != hub.Unavailable {
		return err
	}
	return hub.Errorf(hub.Unavailable, "the PAM service file /etc/pam.d/%s cannot be used, so no guest can log in: write it, for example from "+
		"jupyterhub-guests among the package's examples, or name another file of /etc/pam.d as guest_service in [authenticator]", name)
}

func checkService(name string, dirs []string) error {
	if name == "" || filepath.Base(name) != name || name == ".." || name == "." {
		return hub.Errorf(hub.Invalid, "%q is not the name of a PAM service", name)
	}
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().IsRegular() {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return hub.Errorf(hub.Unavailable, "the PAM service file cannot be read: %w", err)
		}
	}
	return hub.Errorf(hub.Unavailable, "the PAM service file /etc/pam.d/%s is missing, so nobody can log in: install it again "+
		"(it comes with the package, or with make install), or name another file of /etc/pam.d as service in [authenticator]", name)
}
