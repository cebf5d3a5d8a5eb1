package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAWitnessWritesDownWhatTheLimitsDid(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"memory/jupyter.slice/a.service/memory.oom_control":        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"memory/jupyter.slice/a.service/memory.max_usage_in_bytes": "4096\n",
		"pids/jupyter.slice/a.service/pids.events":                 "max 17\n",
		"cpuacct/jupyter.slice/a.service/cpuacct.usage":            "300000001\n",
		"unified/jupyter.slice/a.service/cpu.stat":                 "usage_usec 300000\nuser_usec 1\n",
		"jupyter.slice/two.service/cpu.stat":                       "usage_usec 300\nuser_usec 1\n",
		"jupyter.slice/two.service/memory.peak":                    "8192\n",
		"jupyter.slice/two.service/memory.events":                  "low 0\noom 3\noom_kill 1\n",
		"jupyter.slice/two.service/pids.events":                    "max 0\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const both = "9:pids:/jupyter.slice/a.service\n4:net_cls,memory:/jupyter.slice/a.service\n1:name=systemd:/x\n0::/x\n"
	for membership, want := range map[string]string{
		both:                                 "oom_kill 2\nfork_refused 17\nmemory_peak 4096\n",
		"9:pids:/jupyter.slice/a.service":    "fork_refused 17\n",
		"3:cpuacct:/jupyter.slice/a.service": "cpu 300000001\n",
		"3:cpu,cpuacct:/jupyter.slice/a.service\n0::/jupyter.slice/a.service": "cpu 300000000\n",
		"0::/jupyter.slice/two.service":                                       "oom_kill 1\nfork_refused 0\ncpu 300000\nmemory_peak 8192\n",
		"":                                                                    "",
		"nonsense\n":                                                          "",
	} {
		file := filepath.Join(t.TempDir(), "end")
		if err := witness(file, "5eed", root, strings.NewReader(membership)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(file); string(got) != "run 5eed\n"+want {
			t.Errorf("%q: wrote %q, want %q", membership, got, want)
		}
	}
}

// Alice's directory holds a link in the place of what the witness writes: nothing is written through it.
func TestAWitnessWritesThroughNoLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "shadow"), filepath.Join(dir, "end")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := witness(link, "5eed", dir, strings.NewReader("")); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Errorf("in its place is %v, %v", info, err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("made the target of a link")
	}
}
