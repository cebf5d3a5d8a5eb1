package system

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
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
	"TestDevicesAreOpenToWhomTheyAreGiven",
	"TestServersOfOneUserShareHerLimit",
	"TestGroupsShareAProcessorByWeight",
	"TestTheDaemonsKeepTheirMemory",
	"TestWeightsOfDisksReachTheKernel",
	"TestDeniedAddressesAreNotReached",
	"TestAProfileHasAnExtensionOfItsOwn",
	"TestWhatIsExplainedIsWhatRuns",
	"TestServersOutliveTheirManager",
	"TestCommandsBeforeAServer",
	"TestTheSandboxLeavesJupyterWhatItNeeds",
	"TestTheSandboxKeepsTheRest",
}

// excused are plays that skip on a guest, each with the reason. Any other one that skips fails the run.
var excused = map[string]string{}

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
	var told bytes.Buffer
	err = testbed.Guest{
		Program:   program,
		Arguments: []string{"-test.v", "-test.run=" + plays, "-test.timeout=" + limit.String()},
		Directory: "test/system",
		Out:       io.MultiWriter(t.Output(), &told),
	}.Run(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, name := range skipped(told.String()) {
		if _, known := excused[name]; !known {
			t.Errorf("%s was not played: a guest is there for the plays that need it", name)
		}
	}
}

// skipped returns the names of the tests that a verbose run says it has skipped, those of parts of tests as well.
func skipped(told string) (names []string) {
	for _, found := range regexp.MustCompile(`(?m)^\s*--- SKIP: (\S+) \(`).FindAllStringSubmatch(told, -1) {
		names = append(names, found[1])
	}
	return names
}

func TestSkippedPlaysAreSeen(t *testing.T) {
	const told = "=== RUN   TestA\n    a_test.go:1: no disk\n--- SKIP: TestA (0.01s)\n--- PASS: TestB (0.01s)\r\n    --- SKIP: TestC/part_of_it (1.20s)\n--- SKIP: TestD (2.00s)\r\n"
	if got := skipped(told); !slices.Equal(got, []string{"TestA", "TestC/part_of_it", "TestD"}) {
		t.Errorf("seen are %q", got)
	}
}
