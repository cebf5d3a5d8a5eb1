package launcher

import (
	"context"
	"fmt"

	"jupyterhubd/hub"
)

// Limit changes limits of a server, those that are given, and returns what holds then. Nil is a return to root's file. For
// good is at every later start as well; of a server that does not run it is the only way.
func (l *Launcher) Limit(ctx context.Context, ref hub.ServerRef, change *hub.Limits, forGood bool) (hub.Limits, error) {
	if err := checkRef(ref); err != nil {
		return hub.Limits{}, err
	}
	if err := l.roster.ready(ctx); err != nil {
		return hub.Limits{}, err
	}
	e, alive := l.roster.get(ref)
	alive = alive && e.unit.State == hub.UnitActive
	if !alive && !forGood {
		return hub.Limits{}, notRunning(ref)
	}
	policy := l.policy.Load()
	person, err := l.person(ctx, policy, ref.User)
	if err != nil {
		return hub.Limits{}, err
	}
	s, err := policy.settingsNow(person, e.choice)
	if err != nil {
		return hub.Limits{}, err
	}
	if change != nil {
		if err := s.allows(*change, l.machine); err != nil {
			return hub.Limits{}, err
		}
	}
	holds := s.limits()
	if alive {
		if holds, err = l.limitUnit(ctx, e.unit.Name, s, change); err != nil {
			return hub.Limits{}, err
		}
	}
	if !forGood {
		return holds, nil
	}
	return l.forGood(ref, person.Account, s, change, holds, alive)
}

// limitUnit lets systemd change the limits of a unit that runs.
func (l *Launcher) limitUnit(ctx context.Context, name string, s Settings, change *hub.Limits) (hub.Limits, error) {
	b, err := l.connection(ctx)
	if err != nil {
		return hub.Limits{}, err
	}
	properties := everyLimit(s.limits())
	if change != nil {
		properties = limitProperties(*change)
	}
	if len(properties) > 0 {
		if err := b.SetUnitPropertiesContext(ctx, name, true, properties...); err != nil {
			return hub.Limits{}, busError(err, "limit "+name)
		}
	}
	now, err := b.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return hub.Limits{}, busError(err, "read the limits of "+name)
	}
	return seen(now).limits(), nil
}

// forGood remembers a change, and returns what holds: of a server that does not run, at its next start.
func (l *Launcher) forGood(ref hub.ServerRef, a hub.Account, s Settings, change *hub.Limits, holds hub.Limits, alive bool) (hub.Limits, error) {
	var kept hub.Limits
	if change != nil {
		kept = over(l.lasting.of(ref, a.UID), *change)
	}
	if err := l.lasting.set(ref, a.UID, kept); err != nil {
		return hub.Limits{}, err
	}
	if !alive {
		holds = over(s.limits(), s.within(kept))
	}
	return holds, nil
}

// over is a with what b says instead.
func over(a, b hub.Limits) hub.Limits {
	for _, f := range limitFields {
		if n := f.get(b); n > 0 {
			f.set(&a, n)
		}
	}
	return a
}

// limitField is one limit, by the name of its option.
type limitField struct {
	option string
	least  float64
	get    func(hub.Limits) float64
	set    func(*hub.Limits, float64)
	text   func(float64) string
}

func asBytesText(n float64) string { return bytesText(uint64(n)) }
func asCPUsText(n float64) string  { return fmt.Sprintf("%g CPUs", n) }
func asCountText(n float64) string { return fmt.Sprintf("%g", n) }

// limitFields are the limits that can change, with the least that leaves a server alive.
var limitFields = []limitField{
	{"mem_limit", 32 << 20, func(l hub.Limits) float64 { return float64(l.MemoryMax) }, func(l *hub.Limits, n float64) { l.MemoryMax = int64(n) }, asBytesText},
	{"mem_high", 16 << 20, func(l hub.Limits) float64 { return float64(l.MemoryHigh) }, func(l *hub.Limits, n float64) { l.MemoryHigh = int64(n) }, asBytesText},
	{"cpu_limit", 0.01, func(l hub.Limits) float64 { return l.CPUQuota }, func(l *hub.Limits, n float64) { l.CPUQuota = n }, asCPUsText},
	{"cpu_weight", 1, func(l hub.Limits) float64 { return float64(l.CPUWeight) }, func(l *hub.Limits, n float64) { l.CPUWeight = int64(n) }, asCountText},
	{"io_weight", 1, func(l hub.Limits) float64 { return float64(l.IOWeight) }, func(l *hub.Limits, n float64) { l.IOWeight = int64(n) }, asCountText},
	{"tasks_max", 16, func(l hub.Limits) float64 { return float64(l.TasksMax) }, func(l *hub.Limits, n float64) { l.TasksMax = int64(n) }, asCountText},
}

// ceiling is up to where limits may be set: what root's file gives, or what it says that may be asked for. 0 is no ceiling.
func (s Settings) ceiling() hub.Limits {
	own := s.limits()
	for _, weight := range []*int64{&own.CPUWeight, &own.IOWeight} {
		if *weight == 0 {
			*weight = weightOfCPU
		}
	}
	var all hub.Limits
	for _, f := range limitFields {
		f.set(&all, max(f.get(own), f.get(s.Max)))
	}
	return all
}

// allows refuses limits that are more than root's file or the machine has, or less than any server needs.
func (s Settings) allows(change hub.Limits, m capacity) error {
	if change.IsZero() {
		return hub.Errorf(hub.Invalid, "say which limit is to change")
	}
	ceiling := s.ceiling()
	if change.TasksMax > 0 && ceiling.TasksMax == 0 && s.Max.TasksMax == 0 {
		return hub.Errorf(hub.Forbidden, "tasks_max is systemd's own default here; root's file has to give one first")
	}
	for _, f := range limitFields {
		n, most := f.get(change), f.get(ceiling)
		switch {
		case n == 0:
		case n < f.least || n != n:
			return hub.Errorf(hub.Invalid, "%s wants %s or more", f.option, f.text(f.least))
		case most > 0 && n > most:
			return hub.Errorf(hub.Forbidden, "%s may be %s at most here; root's file says so", f.option, f.text(most))
		case f.option == "cpu_weight" && n > maxWeight, f.option == "io_weight" && n > maxWeight:
			return hub.Errorf(hub.Invalid, "%s wants %d at most", f.option, maxWeight)
		}
	}
	switch {
	case m.memory > 0 && change.MemoryMax > m.memory:
		return hub.Errorf(hub.TooLarge, "the machine has %s of memory", bytesText(uint64(m.memory)))
	case m.cpus > 0 && change.CPUQuota > m.cpus:
		return hub.Errorf(hub.TooLarge, "the machine has %g CPUs", m.cpus)
	}
	return nil
}

// within cuts limits to what root's file allows now: it may allow less than when they were set.
func (s Settings) within(l hub.Limits) hub.Limits {
	ceiling := s.ceiling()
	for _, f := range limitFields {
		if most := f.get(ceiling); most > 0 && f.get(l) > most {
			f.set(&l, most)
		}
	}
	return l
}

// limited is the settings with limits that were set for good.
func (s Settings) limited(l hub.Limits) Settings {
	if l.IsZero() {
		return s
	}
	now := over(s.limits(), s.within(l))
	s.MemLimit, s.MemHigh, s.CPULimit, s.TasksMax = now.MemoryMax, now.MemoryHigh, now.CPUQuota, now.TasksMax
	s.CPUWeight, s.IOWeight = now.CPUWeight, now.IOWeight
	return s
}

// limits reads what systemd says of a unit's.
func (s seen) limits() hub.Limits {
	number := func(name string) int64 {
		if n := s.number(name); n != infinity {
			return int64(n)
		}
		return 0
	}
	l := hub.Limits{
		MemoryMax: number("MemoryMax"), MemoryHigh: number("MemoryHigh"), CPUWeight: number("CPUWeight"),
		IOWeight: number("IOWeight"), TasksMax: number("TasksMax"),
	}
	if us := number("CPUQuotaPerSecUSec"); us > 0 {
		l.CPUQuota = float64(us) / 1e6
	}
	return l
}
