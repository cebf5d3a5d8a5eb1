package config

import (
	"fmt"
	"strings"
)

// offerTables are the tables below a profile's profile_options, as the manual has them.
func offerTables() []Section {
	const offer = "spawner.profile.profile_options.NAME"
	return []Section{
		{Name: offer, Doc: "A question that the profile leaves to its user, in the order of the file. Below it are choices, an unlisted_choice " +
			"beside them, or a range.", Options: documented(offerOptions)},
		{Name: offer + ".choices.NAME", Doc: "An answer. It takes the keys of [spawner] that a group can have as well.", Options: documented(choiceOptions)},
		{Name: offer + ".unlisted_choice", Doc: "A text of the user's own as the answer. It takes the same keys; {value} in them is the text.",
			Options: documented(unlistedOptions)},
		{Name: offer + ".range", Doc: "A number as the answer. It takes the same keys; {value} in them is the number.", Options: documented(rangeOptions)},
	}
}

const exampleOffer = `    [[spawner.profile]]
    name = "course"
    default = true
    [spawner.profile.profile_options.memory]
    display_name = "Memory"
    [spawner.profile.profile_options.memory.range]
    least = 1
    most = 8
    step = 1
    unit = "GB"
    mem_limit = "{value}G"
    [spawner.profile.profile_options.python.choices.stable]
    display_name = "Python as taught"
    [spawner.profile.profile_options.python.choices.next]
    search_path = ["/opt/next/bin"]
`

const aboutContainers = `
A profile may also run its servers in containers: its ` + "`cmd`" + ` is then ` + "`podman run`" + `, as the user, in the unit and under its limits. The package's
examples have such a profile whole, ` + "`container.toml`" + `, with what the sandbox has to allow for it and why.
`

// referenceOffers is their part of docs/configuration.md.
func referenceOffers(b *strings.Builder) {
	for _, s := range offerTables() {
		fmt.Fprintf(b, "\n#### [%s]\n\n%s\n\n| Key | Type | Default | Applies | Meaning |\n|---|---|---|---|---|\n", s.Name, s.Doc)
		for _, o := range s.Options {
			b.WriteString(referenceRow(s.Name, o))
		}
	}
	b.WriteString("\nWhat is answered stands in `user_options` by the option's name, whether a form or a script sent it, and is judged by root's side:\n" +
		"`{\"memory\": 4, \"python\": \"next\"}`. What is not asked for composes nothing.\n\n" + exampleOffer + aboutContainers)
}

// manOffers is their part of jupyterhub.toml(5).
func manOffers(b *strings.Builder) {
	for _, s := range offerTables() {
		fmt.Fprintf(b, ".SS [%s]\n%s\n", roff(s.Name), roff(s.Doc))
		for _, o := range s.Options {
			manOption(b, o)
		}
	}
}
