package launcher

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// guaranteedCPUs is the variable that says how much of the processors a server was promised.
const guaranteedCPUs = "CPU_GUARANTEE="

// errForm says that a unit's file is not written as systemd writes it.
var errForm = errors.New("it is not of the form that is known")

// recordedSettings reads the file of a transient unit: of its section [Service] what recorded names, in order. It is as strict as
// systemd is regular, and gives up at whatever systemd does not write into these settings itself.
func recordedSettings(text string) (map[string][]string, error) {
	settings, section := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		switch {
		case !whole || strings.HasSuffix(line, `\`) || strings.ContainsAny(line, "\r\x00"):
			return nil, errForm
		case line == "" || line[0] == '#':
			continue
		case line[0] == '[':
			section = line
			continue
		}
		name, value, is := strings.Cut(line, "=")
		if !is || section == "" || name == "" || strings.ContainsAny(name, " \t[]\"") {
			return nil, errForm
		}
		if section == "[Service]" && recorded[name] {
			settings[name] = append(settings[name], value)
		}
	}
	return settings, nil
}

// take takes over settings as the properties that they become.
func (s seen) take(settings map[string][]string) error {
	if len(settings["DynamicUser"]) > 0 {
		return fmt.Errorf("%w: a guest's number is not written down", errAsk)
	}
	for _, name := range []string{"Slice", "User"} {
		values := settings[name]
		if len(values) != 1 || !isPlain(values[0]) {
			return fmt.Errorf("%s: %w", name, errForm)
		}
		s[name] = values[0]
	}
	if _, err := strconv.ParseUint(s.text("User"), 10, 32); err != nil {
		return fmt.Errorf("%w: the user has a name", errAsk)
	}
	var marks [][]byte
	for _, value := range settings["LogExtraFields"] {
		text, err := unescape(value)
		if err != nil {
			return fmt.Errorf("LogExtraFields: %w", err)
		}
		marks = append(marks, text)
	}
	s["LogExtraFields"] = marks
	return s.takePromises(settings)
}

// takePromises takes over what a unit was promised, and for how long it runs.
func (s seen) takePromises(settings map[string][]string) error {
	for _, value := range settings["MemoryMin"] {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return fmt.Errorf("MemoryMin: %w", errForm)
		}
		s["MemoryMin"] = n
	}
	for _, value := range settings["RuntimeMaxSec"] {
		most, err := span(value)
		if err != nil {
			return fmt.Errorf("RuntimeMaxSec: %w", err)
		}
		s["RuntimeMaxUSec"] = most
	}
	var promised []string
	for _, value := range settings["Environment"] {
		_, after, is := strings.Cut(value, `"`+guaranteedCPUs)
		if cpus, _, ended := strings.Cut(after, `"`); is && ended && strings.Count(value, guaranteedCPUs) == 1 {
			promised = append(promised, guaranteedCPUs+cpus)
		} else if strings.Contains(value, guaranteedCPUs) {
			return fmt.Errorf("Environment: %w", errForm)
		}
	}
	s["Environment"] = promised
	return nil
}

// isPlain reports whether systemd reads a value as the one word that stands there.
func isPlain(value string) bool {
	return value != "" && !strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`"'%`, c) })
}

// unescape returns a word as systemd reads it, of which it has written only what is not ASCII in another way: \303\274 for ü.
func unescape(value string) (text []byte, err error) {
	if !isPlain(value) {
		return nil, errForm
	}
	for {
		before, after, more := strings.Cut(value, `\`)
		text = append(text, before...)
		if !more {
			return text, nil
		}
		c, err := strconv.ParseUint(after[:min(3, len(after))], 8, 8)
		if err != nil || len(after) < 3 || c < 0x80 {
			return nil, errForm
		}
		text, value = append(text, byte(c)), after[3:]
	}
}

// units of time in which systemd writes an hour and its parts. What is longer it writes in days and weeks, which are as long everywhere.
var timeUnits = map[string]time.Duration{
	"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "min": time.Minute, "s": time.Second,
	"ms": time.Millisecond, "us": time.Microsecond,
}

// span reads a span of time as systemd writes it ("1h 30min", "infinity") in microseconds.
func span(text string) (us uint64, err error) {
	if text == "infinity" {
		return math.MaxUint64, nil
	}
	var whole time.Duration
	for _, part := range strings.Fields(text) {
		digits := strings.TrimRight(part, "adhimnsuw")
		n, err := strconv.ParseUint(digits, 10, 32)
		unit := timeUnits[part[len(digits):]]
		if err != nil || unit == 0 || n > uint64((math.MaxInt64-whole)/unit) {
			return 0, fmt.Errorf("%w: %q", errAsk, text)
		}
		whole += time.Duration(n) * unit
	}
	if whole == 0 {
		return 0, fmt.Errorf("%w: %q", errAsk, text)
	}
	return uint64(whole / time.Microsecond), nil
}
