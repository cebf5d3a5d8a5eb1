package hub

// Offer is a profile as its user may choose it: a way to start a server, with what is left open in it.
type Offer struct {
	Name        string        `json:"name"`
	DisplayName string        `json:"display_name"`
	Description string        `json:"description,omitempty"`
	Default     bool          `json:"default,omitempty"` // what starts when nothing is chosen
	Options     []OfferOption `json:"options,omitempty"` // in the order of the form
}

// OfferOption is one question of a profile. The answer stands in user_options under the option's name: a choice's name, or,
// where there is an Unlisted or a Range, a text or a number of the user's own.
type OfferOption struct {
	Name        string        `json:"name"`
	DisplayName string        `json:"display_name"`
	Choices     []OfferChoice `json:"choices,omitempty"`
	Unlisted    *Unlisted     `json:"unlisted_choice,omitempty"`
	Range       *Range        `json:"range,omitempty"`
}

// OfferChoice is one of the answers that stand in the form.
type OfferChoice struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Default     bool   `json:"default,omitempty"`
}

// Unlisted admits a text that is no choice, if all of it matches the pattern (RE2). In user_options it may also stand under
// the option's name followed by "--unlisted-choice", as KubeSpawner's forms have it.
type Unlisted struct {
	DisplayName string `json:"display_name"`
	Pattern     string `json:"pattern,omitempty"` // empty: whatever is printable
	Message     string `json:"message,omitempty"` // what is wrong with a text that does not match
}

// Range admits a number from Least to Most, in whole Steps from Least on where Step is not zero.
type Range struct {
	Least   float64 `json:"least"`
	Most    float64 `json:"most"`
	Step    float64 `json:"step,omitempty"`
	Default float64 `json:"default"`
	Unit    string  `json:"unit,omitempty"` // what stands behind the number: "G"
}
