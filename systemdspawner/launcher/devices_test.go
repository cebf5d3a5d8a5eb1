package launcher

import (
	"os"
	"path/filepath"
	"testing"
)

// Devices of the configuration that are not there are told, by table, and what that means for servers.
func TestDevicesThatAreNotThereAreTold(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"dev/nvidia0": "", "proc/devices": "Character devices:\n  1 mem\n136 pts\n226 drm\n\nBlock devices:\n  7 loop\n",
	} {
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, says := range map[string]string{
		"/dev/nvidia0": "", "/dev/nvidia*": "", "char-pts": "", "char-p*": "", "block-loop": "",
		"/dev/nvidiactl": "servers cannot start: there is no /dev/nvidiactl", "/dev/dri/*": "nothing is opened: there is no /dev/dri/*",
		"/dev/[": "nothing is opened", "char-loop": "the kernel knows no char-loop", "block-[": "the kernel knows no block-[",
	} {
		got := Devices{"spawner.group.gpu", []string{name}}.check(root)
		if says == "" && len(got) > 0 || says != "" && !mentions(got, "spawner.group.gpu.device_allow", says) {
			t.Errorf("%s: %q, want %q", name, got, says)
		}
	}
	if got := (Devices{"spawner", []string{"char-drm", "char-none"}}).check(t.TempDir()); len(got) > 0 {
		t.Errorf("what cannot be read is missed: %q", got)
	}
}
