package system

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/test/testbed"
)

// whole is the plays that want a machine with everything at once: control groups of version 2 with all controllers, that
// freeze, and out-of-memory kills that systemd hears of.
var whole = []string{
	"TestGreedyKernelDiesAlone",
	"TestForkBombIsContained",
	"TestProcessorIsShared",
	"TestProcessesAreWhereTheirLimitsAre",
	"TestFailureIsTold",
	"TestEndIsTold",
	"TestEveryOptionReachesTheUnit",
	"TestSlicesAreShared",
	"TestLimitsChangeLive",
	"TestAServerSleepsAndGoesOn",
	"TestARequestWakesAServerThatSleeps",
	"TestAKernelRemembersThroughItsSleep",
	"TestOutOfMemoryIsToldWhoeverDies",
	"TestMemoryHighTakesBackAndKillsNobody",
	"TestAGuaranteeOfMemoryHolds",
	"TestASleepingServerGivesItsMemoryBack",
	"TestLiveLimitsReachTheKernel",
	"TestReadingAndWritingIsCounted",
	"TestWhoComesToAFullSliceWaits",
	"TestSwapIsLimited",
	"TestAQuotaThatIsUsedUpIsTold",
	"TestAProfileHasAnImageOfItsOwn",
}

// Plays that are limited by what the host's kernel offers are played once more on a guest, which has a kernel of its own.
func TestPlaysOnAGuest(t *testing.T) {
	if os.Getenv("GUEST") == "" {
		t.Skip("boots a kernel of its own, which make uml asks for")
	}
	testbed.Needed(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	known, err := exec.CommandContext(t.Context(), program, "-test.list=.").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range whole {
		if !slices.Contains(strings.Fields(string(known)), name) {
			t.Errorf("there is no play %s any more", name)
		}
	}
	if err := testbed.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	const limit = 30 * time.Minute
	ctx, done := context.WithTimeout(t.Context(), limit+5*time.Minute) // whoever hangs says where first
	defer done()
	plays := os.Getenv("GUEST_RUN")
	if plays == "" {
		plays = "^(" + strings.Join(whole, "|") + ")$"
	}
	err = testbed.Guest{
		Program:   program,
		Arguments: []string{"-test.v", "-test.run=" + plays, "-test.timeout=" + limit.String()},
		Directory: "test/system",
		Out:       t.Output(),
	}.Run(ctx)
	if err != nil {
		t.Error(err)
	}
}
