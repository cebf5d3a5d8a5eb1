package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// The keys of what stands below a profile's profile_options. Besides them a choice has the keys of [spawner] that a group can
// have, and so have unlisted_choice and range, with {value} for the answer.
var (
	offerOptions = each(AtStart, []row[ProfileOption]{
		option("display_name", text, "", func(o *ProfileOption) *string { return &o.DisplayName }, "The question; empty is the option's name."),
	})
	choiceOptions = each(AtStart, []row[Choice]{
		option("display_name", text, "", func(c *Choice) *string { return &c.DisplayName }, "The answer as people see it; empty is its name."),
		option("default", boolean, false, func(c *Choice) *bool { return &c.Default }, "Whether this is the answer when none is given; otherwise the first is."),
	})
	unlistedOptions = each(AtStart, []row[Unlisted]{
		option("display_name", text, "", func(u *Unlisted) *string { return &u.DisplayName }, "What stands beside the field; empty is \"Other\"."),
		option("pattern", text, "", func(u *Unlisted) *string { return &u.Pattern }, "What the whole text has to match (RE2); empty is anything printable.", pattern),
		option("message", text, "", func(u *Unlisted) *string { return &u.Message }, "What is said of a text that does not match."),
	})
	rangeOptions = each(AtStart, []row[Range]{
		option("least", real, 0, func(r *Range) *float64 { return &r.Least }, "The smallest number."),
		option("most", real, 0, func(r *Range) *float64 { return &r.Most }, "The largest number."),
		option("step", real, 0, func(r *Range) *float64 { return &r.Step }, "The distance between numbers; 0 is any.", notNegative),
		option("default", real, 0, func(r *Range) *float64 { return &r.Default }, "The number when none is given; 0 is the smallest."),
		option("unit", text, "", func(r *Range) *string { return &r.Unit }, "What stands behind the number."),
	})
)

func pattern(s string) error {
	if _, err := regexp.Compile(s); err != nil {
		return fmt.Errorf("is no regular expression: %w", err)
	}
	return nil
}

func notNegative(n float64) error {
	if n < 0 {
		return fmt.Errorf("is %v; it wants 0 or more", n)
	}
	return nil
}

// offers reads the options of a profile, in the order of the file.
func (l *loader) offers(path string, value any) []ProfileOption {
	var all []ProfileOption
	l.named(path, value, func(at, name string, value any) {
		o := ProfileOption{Name: name, DisplayName: name}
		fill(l, at, value, &o, offerOptions, func(key string, v any) bool {
			switch below := join(at, key); key {
			case "choices":
				o.Choices = l.choices(below, v)
			case "unlisted_choice":
				o.Unlisted = l.unlisted(below, v)
			case "range":
				o.Range = l.numbers(below, v)
			default:
				return false
			}
			return true
		})
		o.DisplayName = cmp.Or(o.DisplayName, name)
		if err := o.check(); err != nil {
			l.mistake(at, err)
		}
		all = append(all, o)
	})
	return all
}

// named reads tables that have names, in the order of the file.
func (l *loader) named(path string, value any, read func(at, name string, value any)) {
	table, ok := value.(map[string]any)
	if !ok {
		l.mistake(path, wrongType(value, "tables such as ["+path+".NAME]"))
		return
	}
	names := slices.SortedFunc(maps.Keys(table), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.first(join(path, a)), l.first(join(path, b))), cmp.Compare(a, b))
	})
	for _, name := range names {
		if err := profileName(name); err != nil {
			l.mistake(join(path, name), err)
			continue
		}
		read(join(path, name), name, table[name])
	}
}

// first returns the line on which a table, or something in it, is first spoken of.
func (l *loader) first(at string) int {
	first := math.MaxInt
	for key, line := range l.source.lines {
		if key == at || strings.HasPrefix(key, at+".") {
			first = min(first, line)
		}
	}
	return first
}

func (o *ProfileOption) check() error {
	defaults := 0
	for _, c := range o.Choices {
		if c.Default {
			defaults++
		}
	}
	switch {
	case len(o.Choices) == 0 && o.Unlisted == nil && o.Range == nil:
		return errors.New("asks for nothing; it wants choices, an unlisted_choice or a range")
	case o.Range != nil && (len(o.Choices) > 0 || o.Unlisted != nil):
		return errors.New("has a range and something else; a number is the only answer then")
	case defaults > 1:
		return errors.New("has several choices with default = true; leave one")
	}
	return nil
}

func (l *loader) choices(path string, value any) []Choice {
	var all []Choice
	l.named(path, value, func(at, name string, value any) {
		c := Choice{Name: name, DisplayName: name}
		l.overlay(at, value, &c.Overlay, func(key string, v any) bool { return one(l, join(at, key), v, key, &c, choiceOptions) })
		c.DisplayName = cmp.Or(c.DisplayName, name)
		all = append(all, c)
	})
	return all
}

func (l *loader) unlisted(path string, value any) *Unlisted {
	u := Unlisted{sets: template{}}
	fill(l, path, value, &u, unlistedOptions, l.into(path, u.sets))
	u.DisplayName = cmp.Or(u.DisplayName, "Other")
	// What the answer will be nobody knows; it is a word or a number.
	key, err := "", error(nil)
	for _, sample := range unlistedSamples {
		if _, key, err = u.sets.overlay(sample); err == nil {
			return &u
		}
	}
	l.mistake(join(path, key), err)
	return &u
}

func (l *loader) numbers(path string, value any) *Range {
	r := Range{sets: template{}}
	fill(l, path, value, &r, rangeOptions, l.into(path, r.sets))
	if r.Default == 0 {
		r.Default = r.Least
	}
	if r.Least >= r.Most || r.Default < r.Least || r.Default > r.Most {
		l.mistake(path, errors.New("wants least < most, and a default between them"))
		return &r
	}
	for _, sample := range []float64{r.Least, r.Most, r.Default} {
		if _, key, err := r.sets.overlay(sample); err != nil {
			l.mistake(join(path, key), err)
			return &r
		}
	}
	return &r
}

// into takes the options of a template, which are read when there is an answer.
func (l *loader) into(path string, sets template) func(string, any) bool {
	return func(key string, v any) bool {
		if !isPolicy(key) {
			return false
		}
		sets[key] = v
		l.remember(join(path, key), v)
		return true
	}
}
