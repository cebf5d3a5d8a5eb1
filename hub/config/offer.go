package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"jupyterhubd/hub"
)

// ProfileOption is one [spawner.profile.profile_options.NAME]: a question that a profile leaves to its user.
type ProfileOption struct {
	Name        string
	DisplayName string
	Choices     []Choice
	Unlisted    *Unlisted
	Range       *Range
}

// Choice is one [spawner.profile.profile_options.NAME.choices.NAME]: an answer, and what it sets.
type Choice struct {
	Name        string
	DisplayName string
	Default     bool
	Overlay     Overlay
}

// Unlisted is an answer of the user's own, and what is set by it.
type Unlisted struct {
	DisplayName string
	Pattern     string
	Message     string
	sets        template
}

// Range is a number as the answer, and what is set by it.
type Range struct {
	Least, Most, Step, Default float64
	Unit                       string
	sets                       template
}

// Pick is an answer that was given, with what it sets. Path is the table that says so.
type Pick struct {
	Option  string
	Answer  any // a string, or a number
	Path    string
	Overlay Overlay
}

// maxAnswer bounds a text of a user's own, in bytes.
const maxAnswer = 256

// Choose returns what the answers set, which are user_options as JSON decodes them: those to the profile's options, by name;
// others are left. An option without an answer has its default. Errors are of kind hub.Invalid, and for the user.
func (p *Profile) Choose(answers map[string]any) ([]Pick, error) {
	var picks []Pick
	for _, o := range p.Options {
		pick, err := o.pick(answers)
		if err != nil {
			return nil, hub.Errorf(hub.Invalid, "%s: %w", o.DisplayName, err)
		}
		if pick == nil {
			continue
		}
		pick.Option = o.Name
		pick.Path = strings.Join([]string{"spawner.profile." + p.Name, "profile_options", o.Name, pick.Path}, ".")
		picks = append(picks, *pick)
	}
	return picks, nil
}

// unlistedSuffix follows an option's name in what KubeSpawner's forms send.
const unlistedSuffix = "--unlisted-choice"

func (o *ProfileOption) pick(answers map[string]any) (*Pick, error) {
	answer := answers[o.Name]
	if own := answers[o.Name+unlistedSuffix]; own != nil && own != "" && o.Unlisted != nil {
		return o.Unlisted.pick(own)
	}
	if answer == nil || answer == "" {
		return o.preset()
	}
	at := slices.IndexFunc(o.Choices, func(c Choice) bool { return c.Name == answer })
	switch {
	case at >= 0:
		return o.Choices[at].pick(), nil
	case o.Range != nil:
		return o.Range.pick(answer)
	case o.Unlisted != nil:
		return o.Unlisted.pick(answer)
	}
	return nil, fmt.Errorf("%v is none of the choices; take one of %s", shown(answer), strings.Join(o.names(), ", "))
}

// preset is what holds without an answer: the choice that is marked, or the first; the range's; nothing where a text is asked.
func (o *ProfileOption) preset() (*Pick, error) {
	switch {
	case len(o.Choices) > 0:
		return o.Choices[max(0, slices.IndexFunc(o.Choices, func(c Choice) bool { return c.Default }))].pick(), nil
	case o.Range != nil:
		return o.Range.pick(o.Range.Default)
	}
	return nil, nil
}

func (o *ProfileOption) names() []string {
	all := make([]string, len(o.Choices))
	for i, c := range o.Choices {
		all[i] = c.Name
	}
	return all
}

func (c Choice) pick() *Pick {
	return &Pick{Answer: c.Name, Path: "choices." + c.Name, Overlay: c.Overlay}
}

func (u *Unlisted) pick(answer any) (*Pick, error) {
	text, ok := answer.(string)
	if !ok || len(text) > maxAnswer || strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return nil, fmt.Errorf("it wants a text of at most %d printable characters", maxAnswer)
	}
	whole, err := regexp.Compile(`^(?:` + u.Pattern + `)$`)
	if err != nil || u.Pattern != "" && !whole.MatchString(text) {
		return nil, errors.New(cmp.Or(u.Message, fmt.Sprintf("%q is not of the form %s", text, u.Pattern)))
	}
	overlay, _, err := u.sets.overlay(text)
	if err != nil {
		return nil, err
	}
	return &Pick{Answer: text, Path: "unlisted_choice", Overlay: overlay}, nil
}

func (r *Range) pick(answer any) (*Pick, error) {
	n, ok := answer.(float64)
	if text, is := answer.(string); is { // a form knows no numbers
		parsed, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		n, ok = parsed, err == nil
	}
	steps := (n - r.Least) / r.Step
	if !ok || math.IsNaN(n) || n < r.Least || n > r.Most || r.Step > 0 && math.Abs(steps-math.Round(steps)) > 1e-6 {
		return nil, fmt.Errorf("%v is not a number from %v to %v%s", shown(answer), r.Least, r.Most, r.stepText())
	}
	overlay, _, err := r.sets.overlay(n)
	if err != nil {
		return nil, err
	}
	return &Pick{Answer: n, Path: "range", Overlay: overlay}, nil
}

// unlistedSamples are a number, a word and a path: what an answer of the user's own may be like.
var unlistedSamples = []any{"1", "x", "/x"}

// Samples returns what is set by some of the answers that could be given. Nobody knows which it will be: what is right with one of
// these may be right.
func (u *Unlisted) Samples() []Overlay { return u.sets.samples(unlistedSamples) }

// Samples returns what is set by some of the answers that can be given; it is to be right with each.
func (r *Range) Samples() []Overlay { return r.sets.samples([]any{r.Least, r.Most, r.Default}) }

func (t template) samples(answers []any) []Overlay {
	var all []Overlay
	for _, a := range answers {
		if o, _, err := t.overlay(a); err == nil {
			all = append(all, o)
		}
	}
	return all
}

func (r *Range) stepText() string {
	if r.Step == 0 {
		return ""
	}
	return fmt.Sprintf(" in steps of %v", r.Step)
}

// shown is an answer for a sentence.
func shown(answer any) string {
	text := fmt.Sprintf("%v", answer)
	return strconv.Quote(text[:min(len(text), 40)])
}

// valueMark is what stands for the answer in what an unlisted choice or a range sets.
const valueMark = "{value}"

// template is options with an answer to be put in.
type template map[string]any

// overlay fills the answer in, and reads the options as if a file said so. With an error it says which key is wrong.
func (t template) overlay(answer any) (Overlay, string, error) {
	var o Overlay
	for _, r := range policyOptions {
		value, is := t[r.Key]
		if !is {
			continue
		}
		if err := r.set(&o.values, put(value, answer)); err != nil {
			return Overlay{}, r.Key, err
		}
		o.keys = append(o.keys, r.Key)
	}
	slices.Sort(o.keys)
	return o, "", nil
}

// put puts the answer for the mark, into every text below a value. A text that is the mark alone becomes the number.
func put(value, answer any) any {
	switch v := value.(type) {
	case string:
		n, isNumber := answer.(float64)
		if !isNumber {
			return strings.ReplaceAll(v, valueMark, fmt.Sprint(answer))
		}
		if v == valueMark && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n)
		}
		if v == valueMark {
			return n
		}
		return strings.ReplaceAll(v, valueMark, strconv.FormatFloat(n, 'f', -1, 64))
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = put(v[i], answer)
		}
		return list
	case map[string]any:
		table := make(map[string]any, len(v))
		for key := range v {
			table[key] = put(v[key], answer)
		}
		return table
	}
	return value
}

// Offer is the profile as its user sees it.
func (p *Profile) Offer() hub.Offer {
	offer := hub.Offer{Name: p.Name, DisplayName: p.DisplayName, Description: p.Description, Default: p.Default}
	for i := range p.Options {
		o := &p.Options[i]
		shown := hub.OfferOption{Name: o.Name, DisplayName: o.DisplayName}
		preset, _ := o.preset()
		for _, c := range o.Choices {
			shown.Choices = append(shown.Choices, hub.OfferChoice{Name: c.Name, DisplayName: c.DisplayName, Default: preset.Answer == c.Name})
		}
		if u := o.Unlisted; u != nil {
			shown.Unlisted = &hub.Unlisted{DisplayName: u.DisplayName, Pattern: u.Pattern, Message: u.Message}
		}
		if r := o.Range; r != nil {
			shown.Range = &hub.Range{Least: r.Least, Most: r.Most, Step: r.Step, Default: r.Default, Unit: r.Unit}
		}
		offer.Options = append(offer.Options, shown)
	}
	return offer
}
