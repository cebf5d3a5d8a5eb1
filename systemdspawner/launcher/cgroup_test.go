package launcher

import (
	"os"
	"path/filepath"
	"testing"
)

// Where controllers have hierarchies of their own, CPU time is counted by the unified one beside them, and by cpuacct where
// that is missing. systemd tells it in neither case: it does not always put units into cpuacct.
func TestWhatAUnitConsumesIsReadFromWhereItIsCounted(t *testing.T) {
	const group = "/jupyter.slice/jupyter-alice.service"
	v1 := map[string]string{"memory" + group + "/memory.usage_in_bytes": "4096\n", "pids" + group + "/pids.current": "3\n"}
	stat := "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n"
	for name, c := range map[string]struct {
		files              map[string]string
		unified            bool
		memory, cpu, tasks int64
	}{
		"v2":              {map[string]string{group + "/memory.current": "8192\n", group + "/cpu.stat": stat, group + "/pids.current": "5\n"}, true, 8192, 1500000, 5},
		"v1":              {v1, false, 4096, -1, 3},
		"v1 with unified": {map[string]string{"unified" + group + "/cpu.stat": stat, "cpuacct" + group + "/cpuacct.usage": "7\n"}, false, -1, 1500000, -1},
		"v1 with cpuacct": {map[string]string{"cpuacct" + group + "/cpuacct.usage": "777\n"}, false, -1, 777, -1},
		"nonsense":        {map[string]string{"unified" + group + "/cpu.stat": "usage_usec lots\n"}, false, -1, -1, -1},
	} {
		root := t.TempDir()
		for path, content := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		memory, cpu, tasks := cgroups{root: root, unified: c.unified}.usage(group)
		if memory != c.memory || cpu != c.cpu || tasks != c.tasks {
			t.Errorf("%s: memory %d, cpu %d, tasks %d", name, memory, cpu, tasks)
		}
	}
}
