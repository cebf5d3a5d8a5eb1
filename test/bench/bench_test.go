package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jupyterhubd/test/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// Everything is measured, next to nothing of it: a figure is there for every row of every contender that there is. How large
// it is does not matter.
func TestEverythingCanBeMeasured(t *testing.T) {
	testbed.Needed(t)
	var table bytes.Buffer
	file := filepath.Join(t.TempDir(), "figures.json")
	if err := run(t.Context(), &table, options{size: quick, json: file, log: &table}); err != nil {
		t.Fatalf("%v\n%s", err, table.String())
	}
	t.Log(table.String())
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(written, &r); err != nil {
		t.Fatal(err)
	}
	if want := len(rows); len(r.Missing) == 0 && len(r.Lines) != want {
		t.Errorf("%d of %d rows have figures", len(r.Lines), want)
	}
	for _, l := range r.Lines {
		if len(l.Ours) == 0 || (l.Against != "" && len(l.Reference) != len(l.Ours)) {
			t.Errorf("%s: ours %v, of %s %v", l.Figure, l.Ours, l.Against, l.Reference)
		}
	}
	if len(r.Lines) == 0 {
		t.Error("nothing was measured")
	}
}

func TestASubjectThatIsNotThere(t *testing.T) {
	err := run(t.Context(), &bytes.Buffer{}, options{only: []string{"api", "latency"}})
	if err == nil || !strings.Contains(err.Error(), `"latency"; there are idle, api,`) {
		t.Errorf("got %v", err)
	}
}

func TestMediansAndRatios(t *testing.T) {
	for _, c := range []struct {
		of   figures
		want float64
	}{{figures{3}, 3}, {figures{9, 1, 2}, 2}, {figures{4, 1, 2, 100}, 3}} {
		if got := c.of.median(); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.of, got, c.want)
		}
	}
	if !math.IsNaN(figures(nil).median()) {
		t.Error("nothing has a median")
	}
	// The machine was half as fast in the second round: the ratio does not see it.
	if got := (figures{10, 20, 11}).over(figures{5, 10, 5.5}); got.median() != 2 || len(got) != 3 {
		t.Errorf("ratios %v", got)
	}
}

func TestPercentiles(t *testing.T) {
	var d []time.Duration
	for i := 100; i > 0; i-- {
		d = append(d, time.Duration(i))
	}
	for p, want := range map[int]time.Duration{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(d, p); got != want {
			t.Errorf("p%d of 1 to 100 is %d, want %d", p, got, want)
		}
	}
	if percentile(nil, 50) != 0 || percentile([]time.Duration{7}, 99) != 7 {
		t.Error("of none and of one")
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal   goal
		text   string
		held   []float64
		missed []float64
	}{
		{goal{atMost: 1.3}, "≤ 1.3", []float64{0, 1.3}, []float64{1.31}},
		{goal{atLeast: 0.85}, "≥ 0.85", []float64{0.85, 9}, []float64{0.8}},
		{goal{none: true}, "none", []float64{0}, []float64{1}},
	} {
		if c.goal.String() != c.text {
			t.Errorf("written %q, want %q", c.goal, c.text)
		}
		for _, v := range c.held {
			if !c.goal.held(v) {
				t.Errorf("%s is not held by %v", c.text, v)
			}
		}
		for _, v := range c.missed {
			if c.goal.held(v) {
				t.Errorf("%s is held by %v", c.text, v)
			}
		}
	}
}

// The table says who is behind a goal, and has no row for whom nothing was measured against.
func TestTheTable(t *testing.T) {
	s := scores{}
	for _, ms := range []float64{60, 50, 55} {
		s.note("spawn", ours, ms)
		s.note("spawn", bareUnit, 50)
	}
	s.note("restart-failed", ours, 2)
	var table bytes.Buffer
	r := s.report(full, []string{"Nothing is compared with JupyterHub."})
	r.Machine, r.Seconds = "2 cores", 12
	r.print(&table)
	want, err := os.ReadFile("testdata/table.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := table.String(); got != string(want) {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
	s.note("spawn", bareUnit, 20)
	if r := s.report(full, nil); *r.Lines[0].Held != true || *r.Lines[0].Ratio != 1.1 {
		t.Errorf("%+v", r.Lines[0])
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 3: "3", 12345.6: "12346", 45.67: "45.7", 1.234: "1.23", 0.0123: "0.012", math.Inf(1): "?"} {
		if got := number(f); got != want {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
	}
}

func TestWhatTheKernelSays(t *testing.T) {
	const text = "Name:\tvoluntary_ctxt_switches:\nVmRSS:\t 2048 kB\nvoluntary_ctxt_switches:\t17\nnonvoluntary_ctxt_switches:\t9\n"
	for key, want := range map[string]float64{"voluntary_ctxt_switches:": 17, "VmRSS:": 2048, "Pss:": 0} {
		if got := valueOf(text, key); got != want {
			t.Errorf("%s %v, want %v", key, got, want)
		}
	}
}

// A hub that is silent from 30 to 130 ms, refuses one request, and lets one wait.
func TestAnswersTellOfAnInterruption(t *testing.T) {
	const ms = time.Millisecond
	all := answers{
		{asked: 10 * ms, got: 11 * ms},
		{asked: 20 * ms, got: 30 * ms},
		{asked: 40 * ms, got: 41 * ms, bad: errors.New("refused")},
		{asked: 50 * ms, got: 130 * ms},
		{asked: 140 * ms, got: 141 * ms},
	}
	if all.failed() != 1 || all.silence() != 100*ms || all.longest() != 80*ms || all.percentile(50) != ms || all.percentile(99) != 80*ms || all.firstAfter(45*ms) != 130*ms || all.complaint() != "refused" {
		t.Errorf("failed %d, silent for %v, longest %v, first %v, %s", all.failed(), all.silence(), all.longest(), all.firstAfter(45*ms), all.complaint())
	}
	var nobody answers
	if nobody.failed() != 0 || nobody.silence() != 0 || nobody.firstAfter(ms) != ms {
		t.Error("nobody asked")
	}
}

// What may not happen at all is an error for whoever wants it strictly, and nothing else is.
func TestWhatMayNotHappen(t *testing.T) {
	s := scores{}
	s.note("churn-lost", ours, 0)
	s.note("churn-lost", ours, 1)
	s.note("churn-astray", ours, 0)
	s.note("wake", ours, 9)
	s.note("wake", bareThaw, 1) // behind its goal, which is no error
	found := s.report(quick, nil).forbidden()
	if len(found) != 1 || !strings.Contains(found[0].Error(), "starts of 8 that were lost: 1") {
		t.Errorf("found %v", found)
	}
}

// The table of properties has what each adds, the dearest first, below all of them and the default set.
func TestTheCostsOfProperties(t *testing.T) {
	s := scores{}
	for _, p := range protections() {
		s.note("property-without", p.name, 50)
		s.note("property-alone", p.name, 20)
	}
	s.note("property-without", everyProperty, 60)
	s.note("property-alone", noProtection, 15)
	s.note("property-alone", byDefault, 25)
	s["property-alone"]["PrivateTmp"][0] = 30
	costs := s.costs()
	if len(costs) != len(protections())+2 || costs[0] != (cost{"all of them", 45, 45}) || costs[1].Alone != 10 || costs[2] != (cost{"PrivateTmp", 10, 15}) || costs[3].Alone != 5 {
		t.Errorf("costs %+v", costs)
	}
	var table bytes.Buffer
	s.report(quick, nil).print(&table)
	if !strings.Contains(table.String(), "PrivateTmp") {
		t.Errorf("printed\n%s", table.String())
	}
}
