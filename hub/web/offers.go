package web

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// offers returns the profiles that a user may choose, with what is left open in each. Root's side decides that; when it does
// not answer, the names are shown that the configuration has, and the start says what cannot be had.
func (room *Room) offers(ctx context.Context, user string) []hub.Offer {
	if len(room.Profiles) == 0 {
		return nil
	}
	if room.Offers != nil {
		if offers, err := room.Offers(ctx, user); err == nil {
			return offers
		}
	}
	offers := make([]hub.Offer, len(room.Profiles))
	for i, p := range room.Profiles {
		offers[i] = hub.Offer{Name: p.Name, DisplayName: p.DisplayName, Description: p.Description}
	}
	return offers
}

// unlisted follows the name of an option in the field for an answer of one's own, as in KubeSpawner's forms.
const unlisted = "--unlisted-choice"

// answersTo makes user_options of a form's fields, or of an address's. Fields of the form are called profile:option, and those
// of other profiles than the chosen one are left out. What answers an option is one value; all else is a list, as JupyterHub
// has it.
func (room *Room) answersTo(offers []hub.Offer, profile string, asked map[string][]string) (json.RawMessage, error) {
	answers := make(map[string]any, len(asked))
	chosen := slices.IndexFunc(offers, func(o hub.Offer) bool { return o.Name == profile })
	for key, values := range asked {
		of, name, compound := strings.Cut(key, ":")
		if compound && slices.ContainsFunc(offers, func(o hub.Offer) bool { return o.Name == of }) {
			if of != profile {
				continue
			}
			key = name
		}
		answers[key] = values
	}
	if chosen >= 0 {
		for _, o := range offers[chosen].Options {
			single(answers, o.Name, o.Range != nil)
			single(answers, o.Name+unlisted, false)
		}
	}
	if room.SimpleOptions {
		simplify(answers)
	}
	if len(answers) == 0 {
		return nil, nil
	}
	return json.Marshal(answers)
}

// simplify is JupyterHub's options_from_form = "simple": a list of one is its value, and a box that is checked is true.
func simplify(answers map[string]any) {
	for key, answer := range answers {
		values, list := answer.([]string)
		if !list || len(values) != 1 {
			continue
		}
		if answers[key] = values[0]; values[0] == "on" {
			answers[key] = true
		}
	}
}

// single makes one value of a list, a number where one is wanted, and nothing of an empty field.
func single(answers map[string]any, key string, number bool) {
	values, given := answers[key].([]string)
	if !given {
		return
	}
	delete(answers, key)
	if len(values) == 0 || values[0] == "" {
		return
	}
	answers[key] = values[0]
	if n, err := strconv.ParseFloat(values[0], 64); number && err == nil {
		answers[key] = n
	}
}
