package config

import (
	"fmt"
	"strings"
)

// Option is one row of the table as documentation sees it.
type Option struct {
	Key     string
	Type    string // "size", "span", "list of strings", …
	Default any    // as TOML would hold it
	Doc     string // one line
	Note    string // what more the manual says; may be empty
	Applies Applies
	Shipped any    // what the shipped file sets, where that is not the default
	Warning string // why, and what to think of
}

// Applies says when a changed value begins to hold.
type Applies string

// The moments at which a change can begin to hold.
const (
	AtReload  Applies = "reload"     // systemctl reload jupyterhub
	AtStart   Applies = "next start" // of a user's server; those that run keep what they have
	AtRestart Applies = "restart"    // systemctl restart jupyterhub
	AtPass    Applies = "next pass"  // of the idle culler
)

// row is one option together with how it gets in and out of the struct S of its section.
type row[S any] struct {
	Option
	set  func(*S, any) error // from a TOML value; the error says what would be right
	get  func(*S) any        // as a TOML value
	init func(*S)            // puts the default
	copy func(dst, src *S)   // the value; tables are merged into dst's
	full func(any) any       // writes out what stands for more than it says; nil: nothing does
}

// kind is a type of option: how it is read, written and merged.
type kind[T any] struct {
	name  string
	read  func(any) (T, error)
	write func(T) any
	merge func(dst, src T) T // nil: src replaces dst
}

// check returns what is wrong with a value, and what would be right; nil when nothing is.
type check[T any] func(T) error

// option makes a row. At finds the field.
func option[S, T any](key string, k kind[T], def T, at func(*S) *T, doc string, checks ...check[T]) row[S] {
	put := func(s *S, v T) {
		if k.merge != nil {
			v = k.merge(*at(s), v)
		}
		*at(s) = v
	}
	return row[S]{
		Option: Option{Key: key, Type: k.name, Default: k.write(def), Doc: doc, Applies: AtReload},
		set: func(s *S, v any) error {
			value, err := k.read(v)
			if err != nil {
				return err
			}
			for _, c := range checks {
				if err := c(value); err != nil {
					return err
				}
			}
			put(s, value)
			return nil
		},
		get:  func(s *S) any { return k.write(*at(s)) },
		init: func(s *S) { put(s, def) },
		copy: func(dst, src *S) { put(dst, *at(src)) },
	}
}

// applies says when a change of the option begins to hold.
func (r row[S]) applies(a Applies) row[S] {
	r.Applies = a
	return r
}

// note adds a sentence for the manual.
func (r row[S]) note(text string) row[S] {
	r.Note = text
	return r
}

// inFull says how a value is written out that stands for more than it says.
func (r row[S]) inFull(full func(any) any) row[S] {
	r.full = full
	return r
}

// shipped says what the shipped file sets instead of the default, and why.
func (r row[S]) shipped(value any, warning string) row[S] {
	r.Shipped, r.Warning = value, warning
	return r
}

// each turns rows' moment into the given one.
func each[S any](a Applies, rows []row[S]) []row[S] {
	for i := range rows {
		rows[i].Applies = a
	}
	return rows
}

func reset[S any](s *S, rows []row[S]) {
	for _, r := range rows {
		r.init(s)
	}
}

func documented[S any](rows []row[S]) []Option {
	options := make([]Option, len(rows))
	for i, r := range rows {
		options[i] = r.Option
	}
	return options
}

// wrongType says that a value is of another type than the option.
func wrongType(v any, wanted string) error {
	return fmt.Errorf("is %s; it wants %s", describe(v), wanted)
}

// describe names a TOML value for a person.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 40 {
			v = strings.ToValidUTF8(v[:40], "") + "…"
		}
		return fmt.Sprintf("the string %q", v)
	case bool:
		return fmt.Sprintf("%t", v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date"
}
