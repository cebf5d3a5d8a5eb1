package testbed

import (
	"bufio"
	"context"
	"fmt"
	"strings"
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

// Follow calls each with every line of the journal of the units, old and new, until each returns false or ctx ends.
func (b *Bed) Follow(ctx context.Context, each func(line string) bool, unit ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := b.Cmd(ctx, "journalctl", append([]string{"--follow", "--lines=all", "--output=short-precise"}, unitArgs(unit)...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("follow the journal: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("follow the journal: %w", err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	wanted := true
	for wanted && lines.Scan() {
		wanted = each(lines.Text())
	}
	cancel()
	_ = cmd.Wait() // killed by cancel
	if wanted {
		return fmt.Errorf("the journal ended: %w", context.Cause(ctx))
	}
	return nil
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
