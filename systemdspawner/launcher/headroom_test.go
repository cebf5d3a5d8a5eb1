package launcher

import (
	"os"
	"path/filepath"
	"testing"

	"jupyterhubd/hub"
)

func TestHeadroom(t *testing.T) {
	const meminfo = "MemTotal:       24683560 kB\nMemFree:        22957136 kB\nMemAvailable:    2048 kB\n"
	const psi = "some avg10=12.50 avg60=0.00 avg300=0.00 total=1192205\nfull avg10=3.25 avg60=0.00 avg300=0.00 total=894013\n"
	unknown := hub.Headroom{Memory: -1, MemoryPressure: -1, IOPressure: -1, CPUPressure: -1}
	all := hub.Headroom{Memory: 2 << 20, MemoryPressure: 3.25, IOPressure: 3.25, CPUPressure: 12.5}
	narrow := all
	narrow.Memory = 1000
	full := all
	full.Memory = 0
	proc := map[string]string{"proc/meminfo": meminfo, "proc/pressure/memory": psi, "proc/pressure/io": psi, "proc/pressure/cpu": psi}
	for name, c := range map[string]struct {
		files   map[string]string
		unified bool
		want    hub.Headroom
	}{
		"a machine that tells nothing": {nil, true, unknown},
		"no PSI":                       {map[string]string{"proc/meminfo": meminfo}, true, hub.Headroom{Memory: 2 << 20, MemoryPressure: -1, IOPressure: -1, CPUPressure: -1}},
		"nonsense":                     {map[string]string{"proc/meminfo": "MemAvailable: much\n", "proc/pressure/io": "full\nfull avg10=x\n"}, true, unknown},
		"no limit of ours":             {map[string]string{"jupyter.slice/memory.max": "max\n", "jupyter.slice/memory.current": "5\n"}, true, all},
		"a limit of ours":              {map[string]string{"jupyter.slice/memory.max": "3000\n", "jupyter.slice/memory.current": "2000\n"}, true, narrow},
		"a limit of ours that is hit":  {map[string]string{"jupyter.slice/memory.max": "3000\n", "jupyter.slice/memory.current": "3001\n"}, true, full},
		"a limit on v1":                {map[string]string{"memory/jupyter.slice/memory.limit_in_bytes": "3000\n", "memory/jupyter.slice/memory.usage_in_bytes": "2000\n"}, false, narrow},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if c.want.CPUPressure >= 0 {
				put(t, root, proc)
			}
			put(t, root, c.files)
			got := cgroups{root: root, unified: c.unified}.headroom(filepath.Join(root, "proc"))
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
