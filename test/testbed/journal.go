package testbed

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// units are ours and our users', as patterns of journalctl and systemctl.
var units = []string{"jupyterhub*", "jupyter-*"}

// Journal returns the journal of the units, or of all of ours and our users'.
func (b *Bed) Journal(ctx context.Context, unit ...string) string {
	out, err := b.Run(ctx, "journalctl", append([]string{"--no-pager", "--output=short-precise"}, unitArgs(unit)...)...)
	if err != nil {
		return err.Error()
	}
	return out
}

func unitArgs(names []string) []string {
	if len(names) == 0 {
		names = units
	}
	var args []string
	for _, n := range names {
		args = append(args, "--unit="+n)
	}
	return args
}

// Follow calls each with every line of the journal of the units, old and new, until it returns false or ctx ends. Units may
// be patterns. Journalctl itself would look once which units match, and never see one that starts later.
func (b *Bed) Follow(ctx context.Context, each func(line string) bool, unit ...string) error {
	return b.follow(ctx, "all", each, unit)
}

// FollowOn is Follow without the lines that are there already.
func (b *Bed) FollowOn(ctx context.Context, each func(line string) bool, unit ...string) error {
	return b.follow(ctx, "0", each, unit)
}

func (b *Bed) follow(ctx context.Context, old string, each func(line string) bool, unit []string) error {
	if len(unit) == 0 {
		unit = units
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := b.Cmd(ctx, "journalctl", "--follow", "--lines="+old, "--output=json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("follow the journal: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("follow the journal: %w", err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	wanted := true
	for wanted && lines.Scan() {
		var e entry
		// A message that is not text comes as an array of numbers: not a line to wait for.
		if err := json.Unmarshal(lines.Bytes(), &e); err == nil && e.of(unit) {
			wanted = each(e.String())
		}
	}
	cancel()
	_ = cmd.Wait() // killed by cancel
	if wanted {
		return fmt.Errorf("the journal ended: %w", context.Cause(ctx))
	}
	return nil
}

// entry is a line of the journal (systemd.journal-fields(7)).
type entry struct {
	Message  string `json:"MESSAGE"`
	From     string `json:"_SYSTEMD_UNIT"` // the unit that wrote it
	About    string `json:"UNIT"`          // the unit that the service manager writes of
	Name     string `json:"SYSLOG_IDENTIFIER"`
	PID      string `json:"_PID"`
	Realtime string `json:"__REALTIME_TIMESTAMP"` // microseconds
}

func (e entry) of(patterns []string) bool {
	for _, p := range patterns {
		for _, unit := range []string{e.From, e.About} {
			if ok, _ := path.Match(p, unit); ok {
				return true
			}
		}
	}
	return false
}

// String is the line as journalctl prints it.
func (e entry) String() string {
	micros, _ := strconv.ParseInt(e.Realtime, 10, 64)
	return fmt.Sprintf("%s %s[%s]: %s", time.UnixMicro(micros).Format(time.StampMicro), e.Name, e.PID, e.Message)
}

// AwaitJournal returns the first line of the unit's journal that contains the text, as soon as it is there.
func (b *Bed) AwaitJournal(ctx context.Context, unit, text string) (found string, err error) {
	err = b.Follow(ctx, func(line string) bool {
		if strings.Contains(line, text) {
			found = line
		}
		return found == ""
	}, unit)
	if err != nil {
		return "", fmt.Errorf("wait for %q of %s: %w", text, unit, err)
	}
	return found, nil
}
