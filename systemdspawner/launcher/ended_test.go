package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

func TestWhatARunConsumedIsReadFromJournalctlsJSON(t *testing.T) {
	said := strings.ReplaceAll(`{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"1500000000","UNIT":"jupyter-alice.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"8","MEMORY_PEAK":"4096","UNIT":"jupyter-bob.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"7","UNIT":"sshd.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":["#","#"],"CPU_USAGE_NSEC":"7","UNIT":"jupyter-alice.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","UNIT":"jupyter-bob.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"-1","UNIT":"jupyter-bob.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"cut of`, "#", invoked)
	at := time.UnixMicro(1700000000000001).UTC()
	want := []hub.Ended{{Invocation: invoked, CPU: 1500000000, Memory: -1, At: at}, {Invocation: invoked, CPU: 8, Memory: 4096, At: at}}
	if got := parseEnded([]byte(said)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// Of a run that used less than a second the journal says nothing: what its last process said counts. Of others the journal's word does.
func TestWhatTheJournalDoesNotSayOfRuns(t *testing.T) {
	brief, long, other, at := strings.Repeat("b", 32), strings.Repeat("c", 32), strings.Repeat("d", 32), time.Unix(1700000000, 0)
	var e ends
	e.note(hub.Ended{Invocation: brief, CPU: 3e8, Memory: -1, At: at})
	e.note(hub.Ended{Invocation: brief, CPU: -1, Memory: 4096, At: at.Add(time.Second)})
	e.note(hub.Ended{Invocation: long, CPU: 9e18, Memory: 8192, At: at})
	e.note(hub.Ended{Invocation: other, CPU: 1, At: at})
	e.note(hub.Ended{Invocation: "", CPU: 1, At: at})
	said := []hub.Ended{{Invocation: long, CPU: 2e9, Memory: -1, At: at}}
	want := []hub.Ended{{Invocation: long, CPU: 2e9, Memory: 8192, At: at}, {Invocation: brief, CPU: 3e8, Memory: 4096, At: at}}
	if got := e.complete(said, []string{brief, brief, long, invoked}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for i := range endsKept + 10 {
		e.note(hub.Ended{Invocation: fmt.Sprintf("%032x", i), CPU: 1})
	}
	if len(e.runs) != endsKept || len(e.order) != endsKept || len(e.complete(nil, []string{brief})) > 0 {
		t.Errorf("%d and %d are kept", len(e.runs), len(e.order))
	}
}

// Vulnerability: root reads a file in a directory that is mallory's.
// Attack: she puts a link, a pipe, rubbish, or what her last run's witness wrote in its place.
// Verified: nothing is read through a link, nobody waits, and only numbers of this very run are believed.
func TestAWitnessIsBelievedForItsRunAlone(t *testing.T) {
	s := sockets{base: t.TempDir()}
	if err := os.Mkdir(s.dir("jupyter-mallory.service"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir("jupyter-mallory.service"), testimonyName)
	said := "run " + invoked + "\noom_kill 1\nfork_refused 0\ncpu 300\nmemory_peak 4096\n"
	elsewhere := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(elsewhere, []byte(said), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(text string) error { return os.WriteFile(path, []byte(text), 0o600) }
	silent := testimony{cpu: -1, memoryPeak: -1}
	for name, c := range map[string]struct {
		put  func() error
		want testimony
	}{
		"her witness":    {func() error { return write(said) }, testimony{outOfMemory: true, cpu: 300, memoryPeak: 4096}},
		"an earlier one": {func() error { return write(strings.Replace(said, invoked, strings.Repeat("b", 32), 1)) }, silent},
		"rubbish": {func() error {
			return write("run " + invoked + "\ncpu x\nmemory_peak " + strings.Repeat("9", 30) + "\n")
		}, silent},
		"a link":      {func() error { return os.Symlink(elsewhere, path) }, silent},
		"a pipe":      {func() error { return unix.Mkfifo(path, 0o600) }, silent},
		"a long file": {func() error { return write("run " + invoked + "\n" + strings.Repeat("x", maxTestimony) + "\ncpu 5\n") }, silent},
		"nothing":     {func() error { return nil }, silent},
	} {
		if err := c.put(); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.testimony("jupyter-mallory.service", invoked); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Vulnerability: what the hub says becomes arguments of a command that runs as root.
// Attack: matches of its own, options, more than there is room for.
// Verified: refused before any command runs.
func TestARunIsAskedForByItsNumberAlone(t *testing.T) {
	l := new(Launcher)
	for _, asked := range [][]string{{"--file=/etc/shadow"}, {invoked, "+"}, {"_UID=0"}, {""}, {strings.ToUpper(invoked)}, make([]string, maxEnded+1)} {
		if runs, err := l.Ended(t.Context(), asked); hub.KindOf(err) != hub.Invalid && hub.KindOf(err) != hub.TooLarge {
			t.Errorf("%q: %v, %v", asked, runs, err)
		}
	}
}
