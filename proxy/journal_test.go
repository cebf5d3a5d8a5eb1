package proxy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// remembered is what a proxy that starts on the file knows.
func remembered(t *testing.T, file string) []string {
	t.Helper()
	p, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for key, r := range p.table.all() {
		all = append(all, key+" "+r.spec)
	}
	slices.Sort(all)
	return all
}

// must saves what was changed.
func (p *Proxy) must(t *testing.T) {
	t.Helper()
	if err := p.ledger.save(); err != nil {
		t.Fatal(err)
	}
}

func target1(t *testing.T, p *Proxy, path, to string) {
	t.Helper()
	if err := p.Add(path, routeData(t, fmt.Sprintf(`{"target": %q}`, to))); err != nil {
		t.Fatal(err)
	}
	p.must(t)
}

// Wherever a death cuts the journal, what was answered before is known afterwards, in the order of the table, and nothing is damaged.
func TestAJournalMayEndAnywhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "routes.json")
	p, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	target1(t, p, "/first", "http://h") // goes into the file
	var history [][]string
	var ends []int64
	note := func() {
		history, ends = append(history, remembered(t, file)), append(ends, p.ledger.journal.size)
	}
	note()
	for _, step := range []func(){
		func() { target1(t, p, "/user/jo%40ex.org", "http://a") },
		func() { target1(t, p, "/user/jo@ex.org", "http://b") },
		func() { p.remove("/first"); p.must(t) },
		func() { target1(t, p, "/first", "http://c") },
		func() { p.remove("/user/jo@ex.org"); p.must(t) },
	} {
		step()
		note()
	}
	if got := fmt.Sprint(history); got != "[[/first http://h] [/first http://h /user/jo@ex.org http://a] [/first http://h /user/jo@ex.org http://b] [/user/jo@ex.org http://b] "+
		"[/first http://c /user/jo@ex.org http://b] [/first http://c]]" {
		t.Fatalf("the history is %s", got)
	}
	snapshot, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(file + journalSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(lines) + 1 {
		copied := filepath.Join(dir, "cut")
		write(t, copied, snapshot)
		write(t, copied+journalSuffix, lines[:cut])
		whole := 0
		for i, end := range ends {
			if int64(cut) >= end {
				whole = i
			}
		}
		if got := remembered(t, copied); !slices.Equal(got, history[whole]) {
			t.Fatalf("cut at %d of %d: %s, want %s", cut, len(lines), got, history[whole])
		}
	}
}

// A journal that is older than the file says nothing: a death between the two leaves one.
func TestAnOldJournalIsNotRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	p, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	target1(t, p, "/x", "http://old")
	target1(t, p, "/x", "http://older")
	old, err := os.ReadFile(file + journalSuffix)
	if err != nil || strings.Count(string(old), "\n") != 2 {
		t.Fatalf("%q, %v", old, err)
	}
	p.ledger.change()
	target1(t, p, "/x", "http://new") // with the file
	write(t, file+journalSuffix, old)
	if got := fmt.Sprint(remembered(t, file)); got != "[/x http://new]" {
		t.Error(got)
	}
	if err := os.Remove(file + journalSuffix); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(remembered(t, file)); got != "[/x http://new]" {
		t.Errorf("without a journal: %s", got)
	}
}

// A journal that cannot be written makes way for the file.
func TestAJournalThatFailsIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	p, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	target1(t, p, "/x", "http://h")
	p.ledger.journal.file.Close()
	if err := p.Add("/y", routeData(t, `{"target": "http://h"}`)); err != nil {
		t.Fatal(err)
	}
	if err := p.ledger.save(); err == nil {
		t.Fatal("nobody says that it failed")
	}
	p.must(t)
	target1(t, p, "/z", "http://h")
	if got := fmt.Sprint(remembered(t, file)); got != "[/x http://h /y http://h /z http://h]" {
		t.Error(got)
	}
}

// Ended sessions are in the journal as well, and it does not grow for ever.
func TestAJournalGivesWayToTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	now := time.Now()
	p, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	target1(t, p, "/x", "http://h")
	id := sessionID{1, 2, 3}
	p.end(id)
	p.must(t)
	again, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	if !again.graves.holds([]sessionID{id}, now) {
		t.Error("the session lives again")
	}
	p.ledger.journal.size = worthRewriting + 1
	target1(t, p, "/y", "http://h")
	if size := p.ledger.journal.size; size > 100 {
		t.Errorf("the journal has %d bytes", size)
	}
	if got := fmt.Sprint(remembered(t, file)); got != "[/x http://h /y http://h]" {
		t.Error(got)
	}
	if got := slices.Collect(maps.Keys(p.graves.list())); len(got) != 1 {
		t.Errorf("sessions: %v", got)
	}
}
