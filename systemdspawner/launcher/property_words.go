package launcher

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
)

// The readers of single words and numbers. Their errors go on where "PrivateTmp " was said.

func asFlag(name string, value any) ([]sd.Property, error) {
	switch value {
	case true, "yes", "true":
		return one(name, true), nil
	case false, "no", "false":
		return one(name, false), nil
	}
	return nil, fmt.Errorf("wants true or false, not %v", value)
}

func asText(name string, value any) ([]sd.Property, error) {
	s, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("wants a string, not %v", value)
	}
	return one(name, s), nil
}

func asWord(words ...string) reader {
	return func(name string, value any) ([]sd.Property, error) {
		word := fmt.Sprint(value)
		switch value {
		case true:
			word = "yes"
		case false:
			word = "no"
		}
		if !slices.Contains(words, word) {
			return nil, fmt.Errorf("wants one of %s, not %v", strings.Join(words, ", "), value)
		}
		return one(name, word), nil
	}
}

func asNumber[N int32 | uint32 | uint64](lowest, highest int64) reader {
	return func(name string, value any) ([]sd.Property, error) {
		n, ok := value.(int64)
		if !ok || n < lowest || n > highest {
			return nil, fmt.Errorf("wants a whole number from %d to %d, not %v", lowest, highest, value)
		}
		return one(name, N(n)), nil
	}
}

// infinity is how the bus says "no limit".
const infinity = math.MaxUint64

func asBytes(name string, value any) ([]sd.Property, error) {
	n, err := size(value)
	if err != nil {
		return nil, err
	}
	return one(name, n), nil
}

// size reads bytes: a number, or a number with K, M, G or T (of 1024, as systemd counts), or infinity.
func size(value any) (uint64, error) {
	bad := fmt.Errorf(`wants a size such as "2G", or "infinity", not %v`, value)
	switch v := value.(type) {
	case int64:
		if v < 0 {
			return 0, bad
		}
		return uint64(v), nil
	case string:
		if v == "infinity" {
			return infinity, nil
		}
		digits := strings.TrimRight(v, "KMGT")
		power := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
		shift, ok := power[v[len(digits):]]
		n, err := strconv.ParseUint(digits, 10, 63)
		if !ok || err != nil || n > math.MaxInt64>>shift {
			return 0, bad
		}
		return n << shift, nil
	}
	return 0, bad
}

// asLimit reads a resource limit, "soft:hard" or one value for both (setrlimit(2)).
func asLimit(name string, value any) ([]sd.Property, error) {
	soft, hard := value, value
	if s, ok := value.(string); ok {
		if a, b, two := strings.Cut(s, ":"); two {
			soft, hard = a, b
		}
	}
	low, err1 := size(soft)
	high, err2 := size(hard)
	if err1 != nil || err2 != nil || low > high {
		return nil, fmt.Errorf(`wants a limit such as 65536, "1024:65536" or "infinity", not %v`, value)
	}
	return []sd.Property{prop(name, high), prop(name+"Soft", low)}, nil
}

// asSpan reads a span of time: whole seconds, or a string such as "90s" or "8h".
func asSpan(onTheBus string) reader {
	return func(_ string, value any) ([]sd.Property, error) {
		switch v := value.(type) {
		case int64:
			if v >= 0 && v < math.MaxInt32 {
				return one(onTheBus, uint64(v)*1e6), nil
			}
		case string:
			if v == "infinity" {
				return one(onTheBus, uint64(infinity)), nil
			}
			if d, err := time.ParseDuration(v); err == nil && d >= 0 {
				return one(onTheBus, uint64(d.Microseconds())), nil
			}
		}
		return nil, fmt.Errorf(`wants a span of time such as "90s" or "8h", not %v`, value)
	}
}

func asMode(name string, value any) ([]sd.Property, error) {
	s, _ := value.(string)
	mode, err := strconv.ParseUint(s, 8, 32)
	if err != nil || mode > 0o777 {
		return nil, fmt.Errorf(`wants an octal string such as "0077", not %v`, value)
	}
	return one(name, uint32(mode)), nil
}

// levels are syslog's, by number.
var levels = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

func asLevel(name string, value any) ([]sd.Property, error) {
	n := slices.Index(levels, fmt.Sprint(value))
	if n < 0 {
		return nil, fmt.Errorf("wants one of %s, not %v", strings.Join(levels, ", "), value)
	}
	return one(name, int32(n)), nil
}

// label is the bus's form of a security label: whether a missing one is ignored, and the label.
type label struct {
	Optional bool
	Label    string
}

func asLabel(name string, value any) ([]sd.Property, error) {
	s, ok := value.(string)
	if !ok || s == "" {
		return nil, fmt.Errorf("wants a label, not %v", value)
	}
	rest, optional := strings.CutPrefix(s, "-")
	return one(name, label{optional, rest}), nil
}

// absolute reports whether a path is one that systemd takes.
func absolute(path string) bool {
	return filepath.IsAbs(path) && !strings.ContainsFunc(path, func(r rune) bool { return r < ' ' })
}
