package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// report is what is printed, and what --json writes.
type report struct {
	Machine string   `json:"machine"`
	Seconds float64  `json:"seconds"`
	Lines   []line   `json:"figures"`
	Costs   []cost   `json:"properties,omitempty"`
	Missing []string `json:"missing,omitempty"` // references that could not be had
}

// line is a row with its figures.
type line struct {
	Figure    string   `json:"figure"`
	What      string   `json:"what,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	Ours      figures  `json:"ours"` // a figure a round
	Against   string   `json:"against,omitempty"`
	Reference figures  `json:"reference,omitempty"`
	Ratio     *float64 `json:"ratio,omitempty"` // median of the rounds' ratios
	Goal      string   `json:"goal,omitempty"`
	Held      *bool    `json:"held,omitempty"`

	ratios figures
}

// report fills the rows of which there are figures.
func (s scores) report(size size, missing []string) *report {
	r := &report{Machine: machine(), Costs: s.costs(), Missing: missing}
	numbers := size.numbers()
	for _, row := range rows {
		mine, theirs := s[row.figure][ours], s[row.figure][row.against]
		if len(mine) == 0 || (row.against != "" && len(theirs) == 0) {
			continue
		}
		l := line{Figure: row.figure, What: numbers.Replace(row.what), Unit: row.unit, Ours: mine, Against: row.against, Reference: theirs, Goal: row.goal.String()}
		value := mine.median()
		if row.against != "" {
			l.ratios = mine.over(theirs)
			value = l.ratios.median()
			if finite(value) {
				l.Ratio = &value
			}
		}
		if !row.goal.zero() && finite(value) {
			held := row.goal.held(value)
			l.Held = &held
		}
		r.Lines = append(r.Lines, l)
	}
	return r
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func (g goal) String() string {
	switch {
	case g.zero():
		return ""
	case g.none:
		return "none"
	case g.atLeast > 0:
		return fmt.Sprintf("≥ %g", g.atLeast)
	}
	return fmt.Sprintf("≤ %g", g.atMost)
}

// print writes the table. A ratio comes with the least and the greatest of the rounds, which tell how noisy it is.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s; %.0f s; medians of the rounds, ratios ours/theirs with the least and the greatest\n\n", r.Machine, r.Seconds)
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tunit\tours\ttheirs\twhose\tratio\t\tgoal\t")
	for _, l := range r.Lines {
		cells := []string{l.What, l.Unit, number(l.Ours.median()), "", l.Against, "", "", l.Goal, ""}
		if l.Against != "" {
			cells[3] = number(l.Reference.median())
			cells[5] = number(l.ratios.median()) + "x"
			cells[6] = fmt.Sprintf("%s–%s", number(slices.Min(l.ratios)), number(slices.Max(l.ratios)))
		}
		if l.Held != nil && !*l.Held {
			cells[8] = "behind"
		}
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	_ = t.Flush() // a buffer takes everything
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	r.printCosts(w)
	for _, m := range r.Missing {
		fmt.Fprintln(w, m)
	}
}

// printCosts says what each property costs a start.
func (r *report) printCosts(w io.Writer) {
	if len(r.Costs) == 0 {
		return
	}
	fmt.Fprint(w, "\nWhat a property adds to the start of a bare unit, in milliseconds\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "property\tbeside all others\tby itself")
	for _, c := range r.Costs {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\n", c.Name, c.Beside, c.Alone)
	}
	_ = t.Flush() // what cannot be printed was not printed above, either
}

// forbidden are what happened of what may not happen at all.
func (r *report) forbidden() (found []error) {
	for _, l := range r.Lines {
		if l.Goal == (goal{none: true}).String() && slices.Max(l.Ours) > 0 {
			found = append(found, fmt.Errorf("%s: %v", strings.TrimSpace(l.What), slices.Max(l.Ours)))
		}
	}
	return found
}

// number writes three significant digits.
func number(f float64) string {
	switch size := math.Abs(f); {
	case !finite(f):
		return "?"
	case size >= 100 || size == math.Trunc(size):
		return fmt.Sprintf("%.0f", f)
	case size >= 10:
		return fmt.Sprintf("%.1f", f)
	case size >= 0.1:
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%.3f", f)
}

func (r *report) write(path string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// machine says in general words where this was measured.
func machine() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runtime.GOARCH
	}
	version, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return fmt.Sprintf("%d cores, Linux %s, %s", runtime.NumCPU(), version, runtime.GOARCH)
}
