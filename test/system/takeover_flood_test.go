package system

import (
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// composed is what root's configuration makes of one server, as far as a hub could want another: what runs, and what it may use.
type composed struct {
	commands []string // lines of the unit, names of servers left out
	most     map[string]uint64
}

// limited is the limits that a hub could want to raise.
var limited = []string{"MemoryMax", "MemoryHigh", "CPUQuotaPerSecUSec", "TasksMax"}

// rootsOwn returns what root's configuration makes of the servers of each person, by profile.
func (s *stage) rootsOwn() map[string][]composed {
	s.t.Helper()
	all := map[string][]composed{}
	for _, name := range []string{"admin", "alice", "bob", "mallory"} {
		for _, profile := range []string{"", "big"} {
			if profile == "big" && name != "alice" {
				continue
			}
			ref := hub.ServerRef{User: name}
			unit, err := s.rootside().Start(s.ctx, ref, profile, nil)
			if err != nil {
				s.t.Fatal(err)
			}
			all[name] = append(all[name], s.composed(unit.Name))
			if err := s.rootside().Stop(s.ctx, ref); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return all
}

func (s *stage) composed(unit string) composed {
	s.t.Helper()
	lines := strings.Split(s.run("sh", "-c", "grep ^Exec '/run/systemd/transient/"+unit+"'"), "\n")
	own := regexp.MustCompile(`/run/jupyter/[0-9a-f]{16}/`)
	for i, line := range lines {
		lines[i] = own.ReplaceAllString(line, "/run/jupyter/…/")
	}
	c := composed{lines, map[string]uint64{}}
	for _, name := range limited {
		c.most[name] = s.limit(unit, name)
	}
	return c
}

// limit reads a limit of a unit: a number, or a span of time; none is the largest number.
func (s *stage) limit(unit, name string) uint64 {
	s.t.Helper()
	text := s.property(unit, name)
	if text == "infinity" {
		return math.MaxUint64
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatalf("%s of %s is %q", name, unit, text)
	}
	return uint64(span)
}

// isRootsOwn checks that a unit is what root's configuration makes of it, by one of the profiles that its user may have.
func (s *stage) isRootsOwn(unit string, allowed []composed) {
	s.t.Helper()
	is := s.composed(unit)
	within := func(c composed) bool {
		return slices.Equal(is.commands, c.commands) && !slices.ContainsFunc(limited, func(name string) bool { return is.most[name] > c.most[name] })
	}
	if !slices.ContainsFunc(allowed, within) {
		s.t.Errorf("%s is %+v, and root's configuration makes %+v", unit, is, allowed)
	}
}

// Attack: the hub keeps every place at the door, 64 of them by watching, the others in the middle of a message.
// Verified: root's own command line is answered as ever; root's side holds a bounded memory, and no connection of the hub's when it left.
func allPlacesAtTheDoor(s *stage) {
	const places = 1100 // more than there are
	giveCredentials(s.t, s.Path("/run/jupyterhub/credentials.sock"))
	if _, err := s.startAsHub(map[string]any{"user": "bob", "server": ""}); err != nil {
		s.t.Fatal(err)
	}
	before := s.descriptors()
	all := s.dialManyAs("jupyterhub", spawnd, places)
	for i, c := range all {
		text := `{"method":"org.jupyterhub.Spawner.Start","parameters":{"user":"` + strings.Repeat("x", 60<<10)
		if i < 64 {
			text = `{"method":"org.jupyterhub.Spawner.Watch","more":true}` + "\x00"
		}
		_, _ = c.Write([]byte(text)) // some find no place, ignoring
	}
	s.eventually("the door is full", func() bool { return s.descriptors() > before+1000 })
	s.rootIsAnswered()
	if memory := s.memory(); memory > 400<<20 {
		s.t.Errorf("root's side holds %d MiB", memory>>20)
	}
	for _, c := range all {
		c.Close()
	}
	s.eventually("root's side has let go of all", func() bool { return s.descriptors() <= before+8 })
	s.rootIsAnswered()
}

// Attack: the hub starts servers of ever new names, stops, freezes and reloads, all at the same time.
// Verified: root's own command line is answered meanwhile; of what has stopped nothing is left, at root's side and on the machine.
func aFloodOfCalls(s *stage) {
	const many = 24
	s.put("/usr/local/bin/mock-singleuser", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	giveCredentials(s.t, s.Path("/run/jupyterhub/credentials.sock"))
	if _, err := s.startAsHub(map[string]any{"user": "bob", "server": ""}); err != nil {
		s.t.Fatal(err)
	}
	before, held := s.descriptors(), s.memory()
	flood := func(verb string, parameters func(i int) any) {
		var calls sync.WaitGroup
		for i, c := range s.dialManyAs("jupyterhub", spawnd, many) {
			calls.Go(func() { s.says(c, verb, parameters(i)) })
		}
		s.rootIsAnswered()
		calls.Wait()
	}
	server := func(i int) any { return map[string]any{"user": "alice", "server": fmt.Sprint("flood-", i)} }
	flood("Start", server)
	if n := len(strings.Fields(s.run("sh", "-c", "ls /run/jupyter"))); n != many+1 {
		s.t.Errorf("there are %d directories of %d servers", n, many+1)
	}
	flood("Freeze", server)
	flood("Reload", func(int) any { return struct{}{} })
	flood("Start", server)
	flood("Stop", server)
	flood("Stop", server)
	s.eventually("nothing is left of the flood", func() bool {
		return s.run("sh", "-c", "ls /run/jupyter | wc -l; ls /run/systemd/transient | grep -c '^jupyter-alice.*service$' || true") == "1\n0" &&
			s.descriptors() <= before+8
	})
	if memory := s.memory(); memory > held+64<<20 {
		s.t.Errorf("root's side held %d MiB and holds %d", held>>20, memory>>20)
	}
	s.rootIsAnswered()
}

// says makes one call, of which nothing but an end is wanted.
func (s *stage) says(c net.Conn, verb string, parameters any) {
	defer c.Close()
	_ = varlink.NewConn(c).Call(s.ctx, "org.jupyterhub.Spawner."+verb, parameters, nil) // often refused, ignoring
}

// rootIsAnswered uses the command line as root does whose hub cannot be trusted any more.
func (s *stage) rootIsAnswered() {
	s.t.Helper()
	for _, command := range [][]string{{"explain", "bob"}, {"limit", "bob", "tasks=60"}, {"limit", "bob", "--reset"}} {
		s.run("jupyterhub", command...)
	}
	// It finds that the hub is gone, and is not to find that root's side does not answer.
	if out, _ := s.Run(s.ctx, "jupyterhub", "doctor"); strings.Contains(out, "spawnd was not asked") {
		s.t.Errorf("doctor says\n%s", out)
	}
}

// descriptors counts the files that root's side has open, and memory the bytes that it holds.
func (s *stage) descriptors() int {
	s.t.Helper()
	return len(strings.Fields(s.run("ls", "/proc/"+s.mainPID("jupyterhub-spawnd.service")+"/fd")))
}

func (s *stage) memory() int64 {
	s.t.Helper()
	kib, err := strconv.ParseInt(s.run("sh", "-c", "awk '/^VmRSS:/ { print $2 }' /proc/"+s.mainPID("jupyterhub-spawnd.service")+"/status"), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return kib << 10
}
