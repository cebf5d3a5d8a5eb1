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
		"memory/jupyter.slice/a.service/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"pids/jupyter.slice/a.service/pids.events":          "max 17\n",
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
		both:                              "oom_kill 2\nfork_refused 17\n",
		"9:pids:/jupyter.slice/a.service": "fork_refused 17\n",
		"":                                "",
		"nonsense\n":                      "",
	} {
		file := filepath.Join(t.TempDir(), "end")
		if err := witness(file, root, strings.NewReader(membership)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(file); string(got) != want {
			t.Errorf("%q: wrote %q, want %q", membership, got, want)
		}
	}
}

func TestAWitnessDoesNotWriteWhereSomethingIs(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "shadow"), filepath.Join(dir, "end")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := witness(link, dir, strings.NewReader("")); err == nil {
		t.Error("wrote through a link")
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("made the target of a link")
	}
}
