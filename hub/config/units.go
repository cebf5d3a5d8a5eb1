package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size. It is written as in JupyterHub: a number, or a string with K, M, G or T (powers of 1024).
type Bytes int64

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT])?$`)

// ParseBytes reads "2G", "1.5G", "512M" or "1048576".
func ParseBytes(s string) (Bytes, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf(`%q is no size; write a number and K, M, G or T, such as "2G"`, s)
	}
	number, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: %w", s, err)
	}
	bytes := number * math.Pow(1024, float64(strings.Index("KMGT", m[2])+1))
	if m[2] == "" {
		bytes = number
	}
	if bytes >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is more than a machine can have", s)
	}
	return Bytes(bytes), nil
}

// String returns the shortest exact spelling: "2G", "1536M", "1000".
func (b Bytes) String() string {
	unit := ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if b == 0 || b%1024 != 0 {
			break
		}
		b, unit = b/1024, u
	}
	return strconv.FormatInt(int64(b), 10) + unit
}

// Duration is a span of time. It is written "90s", "5m", "1h30m" or "14d"; a bare number is seconds, as in JupyterHub.
type Duration time.Duration

var spanPattern = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|m|h|d|w)`)

var spanUnits = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// ParseDuration reads "90s", "1h30m", "14d".
func ParseDuration(s string) (Duration, error) {
	parts := spanPattern.FindAllStringSubmatch(s, -1)
	rest := strings.ReplaceAll(spanPattern.ReplaceAllString(s, ""), " ", "")
	if len(parts) == 0 || rest != "" {
		return 0, fmt.Errorf(`%q is no span of time; write a number and ms, s, m, h, d or w, such as "90s" or "1h30m"`, s)
	}
	var total float64
	for _, p := range parts {
		n, err := strconv.ParseFloat(p[1], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no span of time: %w", s, err)
		}
		total += n * float64(spanUnits[p[2]])
	}
	return spanOf(total)
}

func spanOf(nanoseconds float64) (Duration, error) {
	if math.IsNaN(nanoseconds) || math.Abs(nanoseconds) >= math.MaxInt64 {
		return 0, fmt.Errorf("is longer than the 292 years that can be counted")
	}
	return Duration(nanoseconds), nil
}

// Std returns the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns "1h30m" where time.Duration says "1h30m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
