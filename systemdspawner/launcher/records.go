package launcher

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// records are what systemd writes down of units that were made over the bus: their files, for itself, and links, for the journal.
// Of a unit that simply runs they say what matters in a hundredth of the time in which systemd tells everything about it. Whoever
// can write them is root.
//
// Only the first picture is drawn from them, and after that systemd is asked about each unit all the same.
type records struct {
	files   string            // directory of units' files
	states  string            // directory of links to invocations
	top     string            // control group of the slice that all of ours are in
	dropIns map[string]string // by name of a directory of drop-ins: why what is in it matters here
	cgroups cgroups
}

// Where systemd keeps them.
const (
	transientFiles = "run/systemd/transient"
	unitStates     = "run/systemd/units"
)

// dropInPlaces are all from which systemd takes drop-ins, its own ones included.
var dropInPlaces = []string{
	"etc/systemd/system.control", "run/systemd/system.control", transientFiles, "run/systemd/generator.early",
	"etc/systemd/system", "etc/systemd/system.attached", "run/systemd/system", "run/systemd/system.attached",
	"run/systemd/generator", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "run/systemd/generator.late",
}

// errAsk says that the records are in order, and yet do not say enough.
var errAsk = errors.New("systemd itself has to be asked")

// openRecords makes sure that nobody but root writes what is going to be believed, and looks through the drop-ins.
func openRecords(root, top string, c cgroups) (*records, error) {
	r := &records{
		files: filepath.Join(root, transientFiles), states: filepath.Join(root, unitStates),
		top: top, cgroups: c, dropIns: map[string]string{},
	}
	for _, dir := range []string{r.files, r.states} {
		f, err := openOfRoot(dir, unix.O_DIRECTORY)
		if err != nil {
			return nil, err
		}
		f.Close()
	}
	for _, place := range dropInPlaces {
		if err := r.survey(filepath.Join(root, place)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// openOfRoot opens a file or directory that nobody but root can write.
func openOfRoot(path string, kind int) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|kind, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && (stat.Uid != uint32(os.Getuid()) || stat.Mode&0o022 != 0) {
		err = fmt.Errorf("others than root can write %s", path)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// survey looks through the drop-ins of one place that could be of a unit of ours.
func (r *records) survey(place string) error {
	kinds, err := os.ReadDir(place)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, kind := range kinds {
		name := kind.Name()
		if name != "service.d" && !(strings.HasPrefix(name, "jupyter-") && strings.HasSuffix(name, ".service.d")) {
			continue
		}
		for _, p := range dropInsIn(filepath.Join(place, name)) {
			if decides(p) {
				r.dropIns[name] = fmt.Sprintf("%s sets %s", p.Origin, p.Name)
			}
		}
	}
	return nil
}

// dropInsIn returns what the files of one directory of drop-ins set, in any order. What cannot be read could set anything. The
// directory is listed and not searched by a pattern: in one a unit's escaped name, \x2d for a hyphen, would be another name.
func dropInsIn(dir string) (all []hub.Provided) {
	unknown := func(origin string) { all = append(all, hub.Provided{Name: "User", Origin: origin}) }
	files, err := os.ReadDir(dir)
	if err != nil {
		unknown(dir)
	}
	for _, file := range files {
		name := filepath.Join(dir, file.Name())
		if filepath.Ext(name) != ".conf" {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			unknown(name)
			continue
		}
		all = append(all, assignments(io.LimitReader(f, maxDropIn), name)...)
		f.Close()
	}
	return all
}

// decides reports whether a drop-in's setting decides something that is read here of a unit's file.
func decides(p hub.Provided) bool {
	if p.Name == "Environment" { // of which one variable is read
		return p.Value == "" || strings.Contains(p.Value, guaranteedCPUs)
	}
	return recorded[p.Name]
}

// recorded are the settings that are read here.
var recorded = map[string]bool{
	"Slice": true, "User": true, "DynamicUser": true, "LogExtraFields": true, "Environment": true, "MemoryMin": true, "RuntimeMaxSec": true,
}

// about returns what the records say of a unit, as systemd would say it over the bus. The moment since when it is active is
// that at which it began to start. The error is errAsk where they cannot say enough, and another where they are not what they ought to be.
func (r *records) about(u sd.UnitStatus) (seen, error) {
	if u.ActiveState != string(hub.UnitActive) || u.LoadState != "loaded" || u.JobId != 0 {
		return nil, fmt.Errorf("%w: %s is %s", errAsk, u.Name, u.ActiveState)
	}
	for _, dir := range dropInDirs(u.Name) {
		if why := r.dropIns[dir]; why != "" {
			return nil, fmt.Errorf("%w: %s", errAsk, why)
		}
	}
	s := seen{"ActiveState": u.ActiveState, "Transient": true}
	if err := r.readFile(s, u.Name); err != nil {
		return nil, err
	}
	if err := r.readInvocation(s, u.Name); err != nil {
		return nil, err
	}
	return s, r.findGroup(s, u.Name)
}

// readFile reads the file of a unit.
func (r *records) readFile(s seen, unit string) error {
	f, err := openOfRoot(filepath.Join(r.files, unit), 0)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxUnitFile))
	switch {
	case err != nil:
		return fmt.Errorf("read the file of %s: %w", unit, err)
	case len(text) == maxUnitFile:
		return fmt.Errorf("%w: the file of %s is large", errAsk, unit)
	}
	settings, err := recordedSettings(string(text))
	if err == nil {
		err = s.take(settings)
	}
	if err != nil {
		return fmt.Errorf("read the file of %s: %w", unit, err)
	}
	return nil
}

// maxUnitFile bounds what is read of a unit's file. The options of a server are the most of it.
const maxUnitFile = 256 << 10

// readInvocation reads the link that tells the journal which invocation a unit is. It is made when the unit begins to start.
func (r *records) readInvocation(s seen, unit string) error {
	link := filepath.Join(r.states, "invocation:"+unit)
	info, err := os.Lstat(link)
	if err != nil {
		return err
	}
	text, err := os.Readlink(link)
	if err != nil {
		return err
	}
	id, err := hex.DecodeString(text)
	if err != nil || !isInvocation(text) {
		return fmt.Errorf("%s leads to no invocation", link)
	}
	s["InvocationID"], s["ActiveEnterTimestamp"] = id, uint64(info.ModTime().UnixMicro())
	return nil
}

// findGroup finds the control group of a unit, which stands where its slice does.
func (r *records) findGroup(s seen, unit string) error {
	slice := s.text("Slice")
	if !isOurSlice(slice) || strings.Contains(slice, "/") {
		return fmt.Errorf("%w: %s is in the slice %q", errAsk, unit, slice)
	}
	group := r.top
	for _, name := range above(slice)[1:] {
		group = filepath.Join(group, name)
	}
	group = filepath.Join(group, unit)
	if !exists(r.cgroups.file("pids", group, "")) {
		return fmt.Errorf("there is no control group %s", group)
	}
	s["ControlGroup"] = group
	return nil
}
