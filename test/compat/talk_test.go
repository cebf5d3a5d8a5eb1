package compat

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A conversation is written down in testdata/talks:
//
//	== A token, made and revoked
//	alice POST /users/alice/tokens {"note": "n"}
//	    save id = id
//	    + X-Header: value
//	everybody GET /users/alice/tokens/$id
//	    undo DELETE /users/zoe
//
// Paths are below /hub/api, but for those with a dot before them (./hub/home, or .//alice.hub.test/ at another host). $name stands for what was saved, from a JSON key of an answer or, with
// a "*" in the key, from the text between two pieces of one. A line of everybody's is said once by each of the cast, and, where
// it may have a body, with each kind of body. undo is said by the stage after each that was
// granted, after in any case; neither is compared.

// cast are who speaks in lines of everybody's: nobody; the user whom the line is about, with a token for all, and with one for
// little; another user; a service that may see and do some things for some; an admin.
var cast = []string{"nobody", "mallory", "limited", "robot", "alice", "admin"}

// step is one request.
type step struct {
	at      string // "users.txt:12"
	who     string
	method  string
	path    string
	body    string
	kind    string // of the body, in lines of everybody's
	header  []string
	save    [][2]string // name, key
	undo    []string    // method, path and body; if it was granted
	after   []string    // likewise, in any case
	heading string
}

func (s step) String() string {
	text := s.who + " " + s.method + " " + s.path
	if s.kind != "" {
		text += " [" + s.kind + "]"
	}
	return text
}

// readTalks reads conversations, in the order of their files' names.
func readTalks(t *testing.T, patterns ...string) []step {
	t.Helper()
	var files []string
	for _, p := range patterns {
		found, err := filepath.Glob("testdata/" + p)
		if err != nil || len(found) == 0 {
			t.Fatalf("no conversations: %v", err)
		}
		files = append(files, found...)
	}
	var all []step
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		steps, err := parseTalk(filepath.Base(name), bufio.NewScanner(f))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, steps...)
	}
	return all
}

func parseTalk(name string, lines *bufio.Scanner) (steps []step, err error) {
	heading := ""
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		at := fmt.Sprintf("%s:%d", name, n)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "== "):
			heading = line[3:]
		case lines.Text()[0] == ' ' || lines.Text()[0] == '\t':
			if len(steps) == 0 || !steps[len(steps)-1].more(line) {
				return nil, fmt.Errorf("%s: %q", at, line)
			}
		default:
			s := step{at: at, heading: heading}
			if !s.say(line) {
				return nil, fmt.Errorf("%s: %q", at, line)
			}
			steps = append(steps, s)
		}
	}
	return steps, lines.Err()
}

// say reads "who METHOD path body".
func (s *step) say(line string) bool {
	words := strings.SplitN(line, " ", 4)
	if len(words) < 3 {
		return false
	}
	s.who, s.method, s.path = words[0], words[1], words[2]
	if len(words) == 4 {
		s.body = words[3]
	}
	return true
}

// more reads an indented line.
func (s *step) more(line string) bool {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "+":
		s.header = append(s.header, rest)
	case "save":
		name, key, ok := strings.Cut(rest, " = ")
		s.save = append(s.save, [2]string{name, key})
		return ok
	case "undo":
		s.undo = append(s.undo, rest)
	case "after":
		s.after = append(s.after, rest)
	default:
		return false
	}
	return true
}

// bodies are the kinds of body that everybody tries.
var bodies = []struct{ kind, body string }{
	{"missing", ""},
	{"malformed", `{"`},
	{"a list", `[1]`},
	{"an unknown key", `{"no-such-key": {"x": 1}}`},
	{"too large", `{"note": "` + strings.Repeat("x", 1<<20) + `"}`},
}

// expand says lines of everybody's once for each of the cast and each body, the kinds of bodies that are left out excepted.
func expand(steps []step, without ...string) (all []step) {
	for _, s := range steps {
		if s.who != "everybody" {
			for _, s.who = range strings.Split(s.who, ",") {
				all = append(all, s)
			}
			continue
		}
		for _, who := range cast {
			s.who = who
			if !slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, s.method) {
				all = append(all, s)
				continue
			}
			for _, b := range bodies {
				if slices.Contains(without, b.kind) {
					continue
				}
				bad := s
				bad.kind, bad.body = b.kind, b.body
				all = append(all, bad)
			}
			good := s
			good.kind = "good"
			all = append(all, good)
		}
	}
	return all
}
