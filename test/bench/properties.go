package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub/config"
)

// protection is something that a unit's properties do for it, and that may be left out.
type protection struct {
	name       string
	properties []string
}

// The starts that the others are compared with.
const (
	everyProperty = "all"
	noProtection  = "none"
	byDefault     = "the default sandbox"
)

// protections are the properties of the strict sandbox, and what every unit has besides.
func protections() []protection {
	all := []protection{
		{"LoadCredential", []string{"LoadCredential"}},
		{"its own view of /run", []string{"TemporaryFileSystem", "BindPaths"}},
		{"limits", []string{"MemoryMax", "MemoryHigh", "CPUQuotaPerSecUSec", "TasksMax", "CPUWeight", "IOWeight"}},
		{"accounting", []string{"MemoryAccounting", "CPUAccounting", "TasksAccounting", "IOAccounting"}},
		{"User, no capabilities", []string{"User", "CapabilityBoundingSet"}},
	}
	for property := range config.Sandbox("strict") {
		if property != "SystemCallErrorNumber" { // says how the filter refuses
			all = append(all, protection{property, []string{property}})
		}
	}
	slices.SortFunc(all, func(a, b protection) int { return strings.Compare(a.name, b.name) })
	return all
}

// measureProperties starts bare units with every property but one, and with none but one.
func (s *stage) measureProperties(ctx context.Context) error {
	f, err := s.newFloor(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	strict := *f
	strict.spawner.Sandbox = config.Sandbox("strict")
	all := protections()
	var every []string
	for _, p := range all {
		every = append(every, p.properties...)
	}
	contenders := []contender{
		s.starting(&strict, "property-without", everyProperty, nil),
		s.starting(&strict, "property-alone", noProtection, every),
		s.starting(f, "property-alone", byDefault, nil),
	}
	for _, p := range all {
		others := slices.DeleteFunc(slices.Clone(every), func(name string) bool { return slices.Contains(p.properties, name) })
		contenders = append(contenders,
			s.starting(&strict, "property-without", p.name, p.properties),
			s.starting(&strict, "property-alone", p.name, others))
	}
	return s.inTurn(ctx, min(3, s.size.rounds), contenders...)
}

// starting starts a few bare units without some properties, and notes the median of the processor time of their first process, which
// is what systemd does in it before it becomes the server and what the server does until it answers. Time by the clock depends on
// what else the machine does.
func (s *stage) starting(f *floor, figure, who string, without []string) contender {
	return contender{who, func(ctx context.Context) error {
		var took []time.Duration
		for range max(1, s.size.serial/4) {
			a := s.people[0]
			if err := f.startWith(ctx, a, func(p sd.Property) bool { return !slices.Contains(without, p.Name) }); err != nil {
				return err
			}
			used, err := s.firstThread(ctx, f.unitOf(a))
			if err := errors.Join(err, f.stop(ctx, a)); err != nil {
				return err
			}
			took = append(took, used)
		}
		s.scores.note(figure, who, milliseconds(percentile(took, 50)))
		return nil
	}}
}

// firstThread is the processor time of the main process's first thread since PID 1 forked it; see schedstat in proc(5).
func (s *stage) firstThread(ctx context.Context, unit string) (time.Duration, error) {
	p, err := s.process(ctx, unit)
	if err != nil {
		return 0, err
	}
	text, err := p.read("schedstat")
	if err != nil {
		return 0, err
	}
	onProcessor, _, _ := strings.Cut(text, " ")
	ns, err := strconv.ParseInt(onProcessor, 10, 64)
	return time.Duration(ns), err
}

// cost is what one protection adds to a start, in milliseconds: beside all others, and by itself.
type cost struct {
	Name   string  `json:"name"`
	Beside float64 `json:"beside_all_ms"`
	Alone  float64 `json:"alone_ms"`
}

// costs are the differences, the dearest first.
func (s scores) costs() (all []cost) {
	if len(s["property-without"]) == 0 {
		return nil
	}
	whole, bare := s["property-without"][everyProperty].median(), s["property-alone"][noProtection].median()
	base := s["property-alone"][byDefault].median() - bare
	all = append(all, cost{"all of them", whole - bare, whole - bare}, cost{byDefault, base, base})
	for _, p := range protections() {
		all = append(all, cost{p.name, whole - s["property-without"][p.name].median(), s["property-alone"][p.name].median() - bare})
	}
	slices.SortStableFunc(all[2:], func(a, b cost) int { return int(1000 * (b.Alone - a.Alone)) })
	return all
}
