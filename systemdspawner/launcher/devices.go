package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Devices are what a table of the configuration opens to servers.
type Devices struct {
	Table string   // "spawner.group.gpu"
	Allow []string // as in Settings
}

// check tells which of them are not there: a device that is named keeps servers from starting, and a pattern or a class opens nothing.
func (d Devices) check(root string) []string {
	var findings []string
	for _, name := range d.Allow {
		switch {
		case !filepath.IsAbs(name):
			if !knownClass(root, name) {
				findings = append(findings, fmt.Sprintf("%s.device_allow: nothing is opened: the kernel knows no %s (/proc/devices); load its driver, or take it out", d.Table, name))
			}
		case strings.ContainsAny(name, "*?["):
			if matches, _ := filepath.Glob(filepath.Join(root, name)); len(matches) == 0 { // a malformed pattern matches nothing
				findings = append(findings, fmt.Sprintf("%s.device_allow: nothing is opened: there is no %s; load its driver, or take it out", d.Table, name))
			}
		default:
			if _, err := os.Stat(filepath.Join(root, name)); errors.Is(err, fs.ErrNotExist) {
				findings = append(findings, fmt.Sprintf("%s.device_allow: servers cannot start: there is no %s; load its driver, or take it out", d.Table, name))
			}
		}
	}
	return findings
}

// knownClass reports whether the kernel has a driver of a class such as "char-drm". What cannot be read is taken to be there.
func knownClass(root, name string) bool {
	kind, pattern, _ := strings.Cut(name, "-")
	text, err := os.ReadFile(filepath.Join(root, "proc/devices"))
	if err != nil {
		return true
	}
	here := ""
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[1] == "devices:":
			here = map[string]string{"Character": "char", "Block": "block"}[f[0]]
		case len(f) == 2 && here == kind:
			if is, _ := path.Match(pattern, f[1]); is { // a malformed pattern matches nothing
				return true
			}
		}
	}
	return false
}
