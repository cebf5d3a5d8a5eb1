package launcher

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// seen is a unit's properties as systemd tells them. A property that is not there reads as its zero value.
type seen map[string]any

func (s seen) text(name string) string { v, _ := s[name].(string); return v }

func (s seen) flag(name string) bool { v, _ := s[name].(bool); return v }

func (s seen) number(name string) uint64 {
	switch v := s[name].(type) {
	case uint64:
		return v
	case uint32:
		return uint64(v)
	}
	return 0
}

func (s seen) signed(name string) int32 { v, _ := s[name].(int32); return v }

func (s seen) state() hub.UnitState {
	switch state := s.text("ActiveState"); state {
	case "reloading", "refreshing", "maintenance":
		return hub.UnitActive
	case "", "inactive", "failed":
		switch {
		case s.queued():
			return hub.UnitActivating // an admin restarts it: between its stop and its start
		case state == "failed":
			return hub.UnitFailed
		}
		return hub.UnitInactive
	default:
		return hub.UnitState(state)
	}
}

// queued reports whether systemd has a job for the unit. For one that does not run that is its start.
func (s seen) queued() bool {
	job, _ := s["Job"].([]any)
	if len(job) == 0 {
		return false
	}
	id, _ := job[0].(uint32)
	return id != 0
}

func (s seen) invocation() string {
	id, _ := s["InvocationID"].([]byte)
	return hex.EncodeToString(id)
}

// until is when systemd ends the unit (RuntimeMaxSec=), zero for never.
func (s seen) until() time.Time {
	max := s.number("RuntimeMaxUSec")
	if since := s.since(); max > 0 && max < uint64(math.MaxInt64/time.Microsecond) && !since.IsZero() {
		return since.Add(time.Duration(max) * time.Microsecond)
	}
	return time.Time{}
}

func (s seen) since() time.Time { return s.time("ActiveEnterTimestamp") }

// time returns a moment, zero for never.
func (s seen) time(name string) time.Time {
	if us := s.number(name); us > 0 {
		return time.UnixMicro(int64(us)).UTC()
	}
	return time.Time{}
}

// ours returns the server that the unit runs, if the unit is one that Compose made: transient, below our slice, and with our
// marks, one of which is its own name. What the template of names says today does not matter.
func (s seen) ours(unit string) (hub.ServerRef, bool) {
	r := hub.ServerRef{User: s.mark(markUser), Server: s.mark(markServer)}
	named := s.mark(markUnit) == unit || s.mark(markUnit) == formerMark && hub.UnitName(r) == unit
	return r, s.flag("Transient") && isOurSlice(s.text("Slice")) && isOurName(unit) && r.User != "" && named
}

// choice returns what the unit was started by, as Compose wrote it down.
func (s seen) choice() Choice {
	c := Choice{Profile: s.mark(markProfile)}
	_ = json.Unmarshal([]byte(s.mark(markOptions)), &c.Options) // none, mostly; ignoring
	return c
}

// mark returns one of the log fields that Compose wrote.
func (s seen) mark(name string) string {
	fields, _ := s["LogExtraFields"].([][]byte)
	for _, f := range fields {
		if value, ok := strings.CutPrefix(string(f), name+"="); ok {
			return marked(value)
		}
	}
	return ""
}

// uid returns who the unit runs as.
func (s seen) uid() int64 {
	const invalid = 1<<32 - 1
	if n, ok := s["UID"].(uint32); ok && n != invalid {
		return int64(n)
	}
	if n, err := strconv.ParseInt(s.text("User"), 10, 64); err == nil {
		return n
	}
	return hub.NoUID
}

// unit returns the unit as it is told to the hub, its socket aside.
func (s seen) unit(name string, ref hub.ServerRef) hub.Unit {
	return hub.Unit{
		ServerRef: ref, Name: name, UID: s.uid(), Account: s.mark(markAccount), State: s.state(),
		Invocation: s.invocation(), Since: s.since(), Until: s.until(), Memory: -1, CPU: -1, Tasks: -1,
	}
}

// ending returns how the unit ended, as far as systemd says it.
func (s seen) ending() ending {
	e := ending{
		Result: s.text("Result"), Code: s.signed("ExecMainCode"), Status: s.signed("ExecMainStatus"), Over: s.over(),
		Began: s.time("InactiveExitTimestamp"), Active: s.number("ActiveEnterTimestamp") > 0, Home: strings.TrimPrefix(s.text("WorkingDirectory"), "!"),
		MemLimit: s.number("MemoryMax"), TasksMax: s.number("TasksMax"),
		Timeout: time.Duration(min(s.number("TimeoutStartUSec"), uint64(time.Hour/time.Microsecond))) * time.Microsecond,
	}
	if e.Code == 0 {
		e.Before, e.Code, e.Status = s.before()
	}
	return e
}

// over reports whether the unit ran for as long as it may.
func (s seen) over() bool {
	most, from, to := s.number("RuntimeMaxUSec"), s.number("ActiveEnterTimestampMonotonic"), s.number("ActiveExitTimestampMonotonic")
	return from > 0 && to >= from && to-from >= most
}

// before returns the command that failed before the unit's program was started, and how it ended; "" where there is none. What may
// fail is none.
func (s seen) before() (path string, code, status int32) {
	const program, mayFail, how, with = 0, 2, 8, 9 // fields of the bus's form of ExecStartPre=, a(sasbttttuii)
	commands, _ := s["ExecStartPre"].([][]any)
	for _, c := range commands {
		if len(c) <= with || c[mayFail] == true {
			continue
		}
		code, _ := c[how].(int32)
		status, _ := c[with].(int32)
		if name, _ := c[program].(string); code != 0 && (code != cldExited || status != 0) {
			return name, code, status
		}
	}
	return "", 0, 0
}

// files names where an admin's unit of the same name comes from, for the sentence about a clash.
func (s seen) files() string {
	files := []string{s.text("FragmentPath"), s.text("SourcePath")}
	files = slices.DeleteFunc(files, func(f string) bool { return f == "" })
	if len(files) == 0 {
		return "somebody else on this machine"
	}
	return files[0]
}
