package launcher

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// consumedMessage is the catalogue's number of "a unit consumed so much", which systemd says of each that has ended.
const consumedMessage = "ae8f7b866b0347b9af31fe1c80b127c0"

// maxEnded is of how many runs a caller may ask at once.
const maxEnded = 100

// Ended returns what runs of our units consumed in all: of those that are over, and of which the journal still knows.
func (l *Launcher) Ended(ctx context.Context, invocations []string) ([]hub.Ended, error) {
	if len(invocations) == 0 {
		return nil, nil
	}
	if len(invocations) > maxEnded {
		return nil, hub.Errorf(hub.TooLarge, "at most %d runs can be asked for", maxEnded)
	}
	// INVOCATION_ID= without an underscore is a field that anybody can send; as PID 1 nobody can.
	args := []string{"--output-fields=INVOCATION_ID,CPU_USAGE_NSEC,MEMORY_PEAK,UNIT", "_PID=1", "MESSAGE_ID=" + consumedMessage}
	for _, id := range invocations {
		if !isInvocation(id) {
			return nil, hub.Errorf(hub.Invalid, "an invocation is %d hexadecimal digits", invocationSize)
		}
		args = append(args, "INVOCATION_ID="+id)
	}
	b, err := askJournal(ctx, args...)
	if err != nil {
		return nil, err
	}
	return l.ends.complete(parseEnded(b), invocations), nil
}

// endsKept is of how many runs is remembered what they used, as long as nobody writes it into an account.
const endsKept = 4096

// ends is what runs that are over used, as far as it was seen here. Systemd writes of a run into the journal only if that was more
// than a second of processor time.
type ends struct {
	mu    sync.Mutex // guards the rest
	runs  map[string]hub.Ended
	order []string // of runs, the oldest first
}

// note takes in what is known of a run that is over: the most that anybody said.
func (e *ends) note(run hub.Ended) {
	if !isInvocation(run.Invocation) || run.CPU < 0 && run.Memory < 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if before, known := e.runs[run.Invocation]; known {
		run.CPU, run.Memory, run.At = max(run.CPU, before.CPU), max(run.Memory, before.Memory), before.At
	} else {
		e.order = append(e.order, run.Invocation)
	}
	if e.runs == nil {
		e.runs = map[string]hub.Ended{}
	}
	e.runs[run.Invocation] = run
	if len(e.order) > endsKept {
		delete(e.runs, e.order[0])
		e.order = slices.Delete(e.order, 0, 1)
	}
}

// complete adds what was seen here to what the journal says, whose word on processor time is the last.
func (e *ends) complete(said []hub.Ended, invocations []string) []hub.Ended {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := map[string]bool{}
	for i, run := range said {
		told[run.Invocation] = true
		said[i].Memory = max(run.Memory, e.peak(run.Invocation))
	}
	for _, id := range invocations {
		if run, known := e.runs[id]; known && run.CPU >= 0 && !told[id] {
			told[id] = true
			said = append(said, run)
		}
	}
	return said
}

func (e *ends) peak(invocation string) int64 {
	if run, known := e.runs[invocation]; known {
		return run.Memory
	}
	return -1
}

// parseEnded reads journalctl's JSON. What is said of units that are not ours is nobody's to know here.
func parseEnded(b []byte) []hub.Ended {
	runs := []hub.Ended{}
	for line := range bytes.Lines(b) {
		var entry struct {
			Invocation string `json:"INVOCATION_ID"`
			CPU        string `json:"CPU_USAGE_NSEC"`
			Memory     string `json:"MEMORY_PEAK"` // systemd 255 and later
			Unit       string `json:"UNIT"`
			At         string `json:"__REALTIME_TIMESTAMP"`
		}
		if json.Unmarshal(line, &entry) != nil || !isOurName(entry.Unit) || !isInvocation(entry.Invocation) {
			continue // a field that stands there twice, or a line cut off by the limit
		}
		cpu, err1 := strconv.ParseInt(entry.CPU, 10, 64)
		at, err2 := strconv.ParseInt(entry.At, 10, 64)
		if err1 == nil && err2 == nil && cpu >= 0 {
			runs = append(runs, hub.Ended{Invocation: entry.Invocation, CPU: cpu, Memory: parseNumber([]byte(entry.Memory)), At: time.UnixMicro(at).UTC()})
		}
	}
	return runs
}

func (l *Launcher) serveEnded(ctx context.Context, r *varlink.Request) error {
	var in struct {
		Invocations []string `json:"invocation_ids"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	runs, err := l.Ended(ctx, in.Invocations)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Runs []hub.Ended `json:"runs"`
	}{append([]hub.Ended{}, runs...)})
}
