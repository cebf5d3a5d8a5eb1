package launcher

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

func TestDropInsCountInTheirOrder(t *testing.T) {
	etc, lib := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		etc + "/jupyter-alice.service.d/50-more.conf": "[Service]\nMemoryMax=4G\n",
		etc + "/jupyter-.service.d/10-all.conf":       "# everybody\n\n[Service]\n  MemoryMax = 1G\nSystemCallFilter=@a \\\n  @b\nNice=5\n",
		lib + "/jupyter-.service.d/10-all.conf":       "[Service]\nMemoryMax=9G\n",
		lib + "/jupyter-.service.d/50-more.conf":      "[Service]\nMemoryMax=8G\n",
		lib + "/service.d/99-log.conf":                "[Service]\n;x\nLogLevelMax=info\n",
		etc + "/jupyter-bob.service.d/x.conf":         "[Service]\nMemoryMax=7G\n",
		etc + "/jupyter-alice-.service.d/x.conf":      "[Service]\nMemoryMax=6G\n",
		etc + "/jupyter-.service.d/note.txt":          "MemoryMax=5G\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := dropIns([]string{etc, lib}, "jupyter-alice.service")
	want := []hub.Provided{
		{Name: "MemoryMax", Value: "1G", Origin: etc + "/jupyter-.service.d/10-all.conf:4"},
		{Name: "SystemCallFilter", Value: "@a @b", Origin: etc + "/jupyter-.service.d/10-all.conf:5"},
		{Name: "Nice", Value: "5", Origin: etc + "/jupyter-.service.d/10-all.conf:7"},
		{Name: "MemoryMax", Value: "4G", Origin: etc + "/jupyter-alice.service.d/50-more.conf:2"},
		{Name: "LogLevelMax", Value: "info", Origin: lib + "/service.d/99-log.conf:3"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if dirs := strings.Join(dropInDirs(`jupyter-mary\x2dann-lab.service`), " "); dirs != `jupyter-mary\x2dann-lab.service.d jupyter-mary\x2dann-.service.d jupyter-.service.d service.d` {
		t.Errorf("directories %s", dirs)
	}
}

// Every property that Compose makes can be read by a person.
func TestEveryPropertyIsSaidAsAUnitFileWould(t *testing.T) {
	s := ordinary()
	s.AddressDeny, s.RuntimeMax, s.UnitExtraProperties = []string{"10.0.0.0/8"}, 3600e9, map[string]any{"BindPaths": "/srv/a:/a", "Nice": int64(3), "UMask": "0027",
		"LogLevelMax": "warning", "AllowedCPUs": "0-1 9"}
	o := order(alice, "", s)
	o.Devices = []string{"/dev/null"}
	c, err := Compose(DefaultLayout(), o)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, p := range c.Properties {
		spoken := spokenOf(p)
		said[spoken.Name] = spoken.Value
		if strings.ContainsAny(spoken.Value, "{}[]") {
			t.Errorf("%s=%s is Go's way to say it", spoken.Name, spoken.Value)
		}
	}
	for name, want := range map[string]string{
		"MemoryMax": "2147483648", "CPUQuota": "200%", "RuntimeMaxSec": "1h0m0s", "IPAddressDeny": "10.0.0.0/8", "BindPaths": "/srv/a:/a",
		"DeviceAllow": "/dev/null rw", "Type": "exec", "IgnoreSIGPIPE": "no", "SuccessExitStatus": "130 143", "UMask": "0027",
		"LogLevelMax": "warning", "AllowedCPUs": "0 1 9", "RestrictNamespaces": "yes", "SystemCallErrorNumber": "EPERM", "CapabilityBoundingSet": "",
	} {
		if said[name] != want {
			t.Errorf("%s=%s, want %s", name, said[name], want)
		}
	}
	for name, value := range map[string]any{"RestrictNamespaces": "mnt user", "CapabilityBoundingSet": "CAP_CHOWN CAP_BPF", "AllowedCPUs": "3"} {
		some, err := property(name, value)
		if err != nil || len(some) != 1 || spokenOf(some[0]).Value != value {
			t.Errorf("%s=%s is said as %+v, %v", name, value, some, err)
		}
	}
	if some, _ := property("RestrictNamespaces", false); spokenOf(some[0]).Value != "no" {
		t.Errorf("namespaces that are not restricted are said as %+v", spokenOf(some[0]))
	}
}
