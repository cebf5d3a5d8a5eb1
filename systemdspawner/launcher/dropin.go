package launcher

import (
	"bufio"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// unitDirs are where systemd looks for drop-ins, the first winning (systemd.unit(5)).
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"}

// dropInDirs are the names of the directories for a unit, the most particular first: jupyter-alice-lab.service.d,
// jupyter-alice-.service.d, jupyter-.service.d, service.d.
func dropInDirs(unit string) []string {
	at := strings.LastIndexByte(unit, '.')
	body, kind := unit[:at], unit[at:]
	all := []string{unit + ".d"}
	for at := len(body) - 2; at > 0; at-- {
		if body[at] == '-' {
			all = append(all, body[:at+1]+kind+".d")
		}
	}
	return append(all, kind[1:]+".d")
}

// maxDropIn bounds a file that is read for an explanation.
const maxDropIn = 256 << 10

// dropIns returns what the drop-ins of a unit set, in the order in which systemd reads them: by their names, wherever they
// are, and of several with one name the most particular alone. What cannot be read says nothing.
func dropIns(dirs []string, unit string) []hub.Provided {
	files := map[string]string{}
	for _, kind := range dropInDirs(unit) {
		for _, dir := range dirs {
			entries, _ := os.ReadDir(filepath.Join(dir, kind)) // most are not there, ignoring
			for _, e := range entries {
				if _, known := files[e.Name()]; !known && strings.HasSuffix(e.Name(), ".conf") {
					files[e.Name()] = filepath.Join(dir, kind, e.Name())
				}
			}
		}
	}
	var all []hub.Provided
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := os.Open(files[name])
		if err != nil {
			continue
		}
		all = append(all, assignments(io.LimitReader(f, maxDropIn), files[name])...)
		f.Close()
	}
	return all
}

// assignments reads the "Name=value" lines of a unit file, continued ones too.
func assignments(r io.Reader, file string) []hub.Provided {
	var all []hub.Provided
	lines := bufio.NewScanner(r)
	whole, began := "", 0
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' || line[0] == '[' && whole == "" {
			continue
		}
		if whole == "" {
			began = n
		}
		if part, more := strings.CutSuffix(line, `\`); more {
			whole += part + " "
			continue
		}
		name, value, is := strings.Cut(whole+line, "=")
		if whole = ""; is {
			all = append(all, hub.Provided{
				Name: strings.TrimSpace(name), Value: strings.Join(strings.Fields(value), " "), Origin: file + ":" + strconv.Itoa(began),
			})
		}
	}
	return all
}
