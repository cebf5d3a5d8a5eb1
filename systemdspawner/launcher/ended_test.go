package launcher

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

func TestWhatARunConsumedIsReadFromJournalctlsJSON(t *testing.T) {
	said := strings.ReplaceAll(`{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"1500000000","UNIT":"jupyter-alice.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"7","UNIT":"sshd.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":["#","#"],"CPU_USAGE_NSEC":"7","UNIT":"jupyter-alice.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","UNIT":"jupyter-bob.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"#","CPU_USAGE_NSEC":"-1","UNIT":"jupyter-bob.service","__REALTIME_TIMESTAMP":"1700000000000001"}
{"INVOCATION_ID":"cut of`, "#", invoked)
	want := []hub.Ended{{Invocation: invoked, CPU: 1500000000, At: time.UnixMicro(1700000000000001).UTC()}}
	if got := parseEnded([]byte(said)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
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
