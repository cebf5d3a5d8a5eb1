package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// The types that an option can have.
var (
	boolean = kind[bool]{"true or false", readFlag, func(v bool) any { return v }, nil}
	count   = kind[int64]{"whole number", readCount, func(v int64) any { return v }, nil}
	real    = kind[float64]{"number", readReal, func(v float64) any { return v }, nil}
	text    = kind[string]{"string", readText, func(v string) any { return v }, nil}
	texts   = kind[[]string]{"list of strings", readTexts, writeTexts, func(_, src []string) []string { return slices.Clone(src) }}
	size    = kind[Bytes]{"size", readSize, func(v Bytes) any { return v.String() }, nil}
	span    = kind[Duration]{"span of time", readSpan, func(v Duration) any { return v.String() }, nil}
	// maybeSize and perhaps can be unset, which is written "".
	maybeSize = kind[*Bytes]{"size", readMaybe(readSize), writeMaybe(func(v Bytes) any { return v.String() }), nil}
	perhaps   = kind[*bool]{"true or false", readMaybe(readFlag), writeMaybe(func(v bool) any { return v }), nil}
	// ceilings are limits by the name of their option.
	ceilings = kind[map[string]any]{"table of limits", readCeilings, writeCeilings, merged[any]}
	names    = kind[map[string]string]{"table of strings", readNames, writeNames, merged[string]}
	// properties are systemd's: a string, a number, true or false, or a list of strings.
	properties = kind[map[string]any]{"table of properties", readProperties, func(v map[string]any) any { return v }, merged[any]}
	// anything is what JSON can say too.
	anything = kind[map[string]any]{"table", readAnything, func(v map[string]any) any { return v }, merged[any]}
)

func merged[V any](dst, src map[string]V) map[string]V {
	m := make(map[string]V, len(dst)+len(src))
	maps.Copy(m, dst)
	maps.Copy(m, src)
	return m
}

func readMaybe[T any](read func(any) (T, error)) func(any) (*T, error) {
	return func(v any) (*T, error) {
		if v == "" {
			return nil, nil
		}
		t, err := read(v)
		return &t, err
	}
}

func writeMaybe[T any](write func(T) any) func(*T) any {
	return func(v *T) any {
		if v == nil {
			return ""
		}
		return write(*v)
	}
}

func readCeilings(v any) (map[string]any, error) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(v, `a table such as { mem_limit = "8G", cpu_limit = 4.0 }`)
	}
	out := make(map[string]any, len(table))
	for _, k := range slices.Sorted(maps.Keys(table)) {
		read, known := ceilingOf[k]
		if !known {
			return nil, fmt.Errorf("holds %q; it wants some of %s", k, strings.Join(slices.Sorted(maps.Keys(ceilingOf)), ", "))
		}
		n, err := read(table[k])
		if err != nil {
			return nil, fmt.Errorf("%s %w", k, err)
		}
		out[k] = n
	}
	return out, nil
}

func writeCeilings(v map[string]any) any {
	out := make(map[string]any, len(v))
	for k, n := range v {
		if b, is := n.(Bytes); is {
			n = b.String()
		}
		out[k] = n
	}
	return out
}

func readFlag(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return false, wrongType(v, "true or false, without quotes")
}

func readCount(v any) (int64, error) {
	if n, ok := v.(int64); ok {
		return n, nil
	}
	return 0, wrongType(v, "a whole number such as 10, without quotes")
}

func readReal(v any) (float64, error) {
	switch n := v.(type) {
	case int64:
		return float64(n), nil
	case float64:
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			return n, nil
		}
	}
	return 0, wrongType(v, "a number such as 2.0, without quotes")
}

func readText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", wrongType(v, `a string in quotes`)
}

func readTexts(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, wrongType(v, `a list of strings such as ["a", "b"]`)
	}
	out := make([]string, 0, len(list))
	for i, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf(`holds %s as its entry %d; every entry is a string in quotes`, describe(e), i+1)
		}
		out = append(out, s)
	}
	return out, nil
}

func writeTexts(v []string) any {
	out := make([]any, len(v))
	for i, s := range v {
		out[i] = s
	}
	return out
}

func readSize(v any) (Bytes, error) {
	switch n := v.(type) {
	case int64:
		if n >= 0 {
			return Bytes(n), nil
		}
		return 0, fmt.Errorf(`is negative; it wants a size such as "2G", or 0 for no limit`)
	case string:
		return ParseBytes(n)
	}
	return 0, wrongType(v, `a size such as "2G"`)
}

func readSpan(v any) (Duration, error) {
	var d Duration
	var err error
	switch n := v.(type) {
	case int64:
		d, err = spanOf(float64(n) * 1e9)
	case float64:
		d, err = spanOf(n * 1e9)
	case string:
		d, err = ParseDuration(n)
	default:
		return 0, wrongType(v, `a span of time such as "90s" or "1h"`)
	}
	if err == nil && d < 0 {
		err = fmt.Errorf(`is negative; it wants a span of time such as "90s" or "1h"`)
	}
	return d, err
}

func readNames(v any) (map[string]string, error) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(v, `a table such as { LANG = "en_GB.UTF-8" }`)
	}
	out := make(map[string]string, len(table))
	for _, k := range slices.Sorted(maps.Keys(table)) {
		s, ok := table[k].(string)
		if !ok {
			return nil, fmt.Errorf("holds %s for %s; every value is a string in quotes", describe(table[k]), k)
		}
		out[k] = s
	}
	return out, nil
}

func writeNames(v map[string]string) any {
	out := make(map[string]any, len(v))
	for k, s := range v {
		out[k] = s
	}
	return out
}

func readProperties(v any) (map[string]any, error) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(v, `a table such as { PrivateTmp = true }`)
	}
	out := make(map[string]any, len(table))
	for _, k := range slices.Sorted(maps.Keys(table)) {
		switch p := table[k].(type) {
		case string, int64, bool:
			out[k] = p
		case []any:
			list, err := readTexts(p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			out[k] = writeTexts(list)
		default:
			return nil, fmt.Errorf("holds %s for %s; a property is a string, a whole number, true or false, or a list of strings", describe(p), k)
		}
	}
	return out, nil
}

func readAnything(v any) (map[string]any, error) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(v, `a table such as { key = "value" }`)
	}
	return table, plainValue(table)
}

// plainValue refuses what JSON has no word for: dates and numbers that are none.
func plainValue(v any) error {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := plainValue(v[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := plainValue(e); err != nil {
				return err
			}
		}
	case []map[string]any:
		for _, e := range v {
			if err := plainValue(e); err != nil {
				return err
			}
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("holds %v; it wants numbers that can be written", v)
		}
	case string, int64, bool:
	default:
		return fmt.Errorf("holds a date; write it as a string in quotes")
	}
	return nil
}
