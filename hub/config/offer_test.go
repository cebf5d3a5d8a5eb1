package config

import (
	"reflect"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

const offered1 = `
[[spawner.profile]]
name = "gpu"
display_name = "With a graphics card"
default = true
mem_limit = "4G"
[spawner.profile.profile_options.size]
display_name = "Size"
[spawner.profile.profile_options.size.choices.small]
mem_limit = "2G"
[spawner.profile.profile_options.size.choices.large]
display_name = "Large"
default = true
mem_limit = "16G"
cpu_limit = 8.0
environment = { SIZE = "large" }
[spawner.profile.profile_options.image.choices.base]
environment = { IMAGE = "base" }
[spawner.profile.profile_options.image.unlisted_choice]
pattern = "[a-z]+:[0-9.]+"
message = "an image is name:version"
environment = { IMAGE = "{value}", FROM = "{value}" }
[spawner.profile.profile_options.cores.range]
least = 1
most = 4
step = 0.5
unit = "CPUs"
cpu_limit = "{value}"
args = ["--cores={value}"]
[[spawner.profile]]
name = "plain"
`

func offers(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Load(etc(t, map[string]string{MainFile: text}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswersSetWhatTheProfileSays(t *testing.T) {
	c := offers(t, offered1)
	gpu := c.Spawner.ProfileNamed("gpu")
	for name, play := range map[string]struct {
		answers map[string]any
		mem     Bytes
		cpu     float64
		image   string
		args    string
	}{
		"nothing":             {nil, 16 << 30, 1, "base", "--cores=1"},
		"others' keys":        {map[string]any{"profile": "x", "size_": "small", "mem_limit": "64G"}, 16 << 30, 1, "base", "--cores=1"},
		"a choice":            {map[string]any{"size": "small"}, 2 << 30, 1, "base", "--cores=1"},
		"a number":            {map[string]any{"cores": 2.5}, 16 << 30, 2.5, "base", "--cores=2.5"},
		"a number of a form":  {map[string]any{"cores": " 3 "}, 16 << 30, 3, "base", "--cores=3"},
		"an unlisted one":     {map[string]any{"image": "torch:2.1"}, 16 << 30, 1, "torch:2.1", "--cores=1"},
		"as KubeSpawner does": {map[string]any{"image": "base", "image--unlisted-choice": "torch:2.1"}, 16 << 30, 1, "torch:2.1", "--cores=1"},
		"an empty field":      {map[string]any{"image": "", "image--unlisted-choice": ""}, 16 << 30, 1, "base", "--cores=1"},
	} {
		picks, err := gpu.Choose(play.answers)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := c.Spawner.PolicyFor("alice", nil, gpu, picks...)
		if p.MemLimit != play.mem || p.CPULimit != play.cpu || p.Environment["IMAGE"] != play.image || strings.Join(p.Args, " ") != play.args {
			t.Errorf("%s: %s, %v, %q, %q", name, p.MemLimit, p.CPULimit, p.Environment["IMAGE"], p.Args)
		}
	}
}

// Vulnerability: what a form does not offer is sent past the form.
// Attack: other choices, texts that match in part, numbers outside and between, values of other kinds.
// Verified: each is refused in a sentence for the user.
func TestAnswersThatAreNotOfferedAreRefused(t *testing.T) {
	gpu := offers(t, offered1).Spawner.ProfileNamed("gpu")
	for _, answers := range []map[string]any{
		{"size": "huge"}, {"size": 7.0}, {"size": []any{"small"}}, {"size": map[string]any{}}, {"size--unlisted-choice": "x", "size": "huge"},
		{"image": "torch:2.1 --privileged"}, {"image": "x\ntorch:2.1"}, {"image": "torch:2.1\n"}, {"image": strings.Repeat("a", 300) + ":1"}, {"image": 7.0},
		{"cores": 0.5}, {"cores": 4.5}, {"cores": 1.2}, {"cores": "NaN"}, {"cores": "1e9"}, {"cores": true}, {"cores": "all"},
	} {
		if picks, err := gpu.Choose(answers); hub.KindOf(err) != hub.Invalid || hub.TextOf(err) == "" {
			t.Errorf("of %v came %v, %v", answers, picks, err)
		}
	}
}

func TestOffersAreInTheOrderOfTheFile(t *testing.T) {
	got := offers(t, offered1).Spawner.ProfileNamed("gpu").Offer()
	want := hub.Offer{Name: "gpu", DisplayName: "With a graphics card", Default: true, Options: []hub.OfferOption{
		{Name: "size", DisplayName: "Size", Choices: []hub.OfferChoice{{Name: "small", DisplayName: "small"}, {Name: "large", DisplayName: "Large", Default: true}}},
		{Name: "image", DisplayName: "image", Choices: []hub.OfferChoice{{Name: "base", DisplayName: "base", Default: true}},
			Unlisted: &hub.Unlisted{DisplayName: "Other", Pattern: "[a-z]+:[0-9.]+", Message: "an image is name:version"}},
		{Name: "cores", DisplayName: "cores", Range: &hub.Range{Least: 1, Most: 4, Step: 0.5, Default: 1, Unit: "CPUs"}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("offered is\n%+v\nwant\n%+v", got, want)
	}
}

func TestWhereEachSettingComesFrom(t *testing.T) {
	c := offers(t, "[spawner]\nmem_limit = '1G'\n[spawner.environment]\nA = 'x'\n[spawner.group.course]\ntasks_max = 99\n[spawner.user.alice]\ncpu_limit = 1.0\n"+offered1)
	gpu := c.Spawner.ProfileNamed("gpu")
	picks, err := gpu.Choose(map[string]any{"size": "small"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range c.Explain("alice", []string{"course"}, gpu, picks) {
		_, line, _ := strings.Cut(s.Origin(), MainFile)
		got[s.Key] = s.Literal() + " " + s.Section + line
	}
	for key, want := range map[string]string{
		"mem_limit":         `"2G" spawner.profile.gpu.profile_options.size.choices.small:18`,
		"tasks_max":         `99 spawner.group.course:6`,
		"cpu_limit":         `1.0 spawner.profile.gpu.profile_options.cores.range:36`,
		"environment.A":     `"x" spawner:4`,
		"environment.IMAGE": `"base" spawner.profile.gpu.profile_options.image.choices.base:26`,
		"default_url":       `"/lab" spawner`,
	} {
		if got[key] != want {
			t.Errorf("%s = %s, want %s", key, got[key], want)
		}
	}
}

func TestMistakesInOffers(t *testing.T) {
	for text, want := range map[string]string{
		"x = {}": "asks for nothing", "x.range = { least = 1, most = 1 }": "least < most", "x.range = { least = 1, most = 2, default = 3 }": "least < most",
		"x.range = { least = 1, most = 2, mem_limit = '{value}X' }":      "is no size",
		"x.range = { least = 1, most = 2, cmnd = 'x' }":                  "is no key",
		"x.unlisted_choice = { pattern = '(' }":                          "no regular expression",
		"x.unlisted_choice = { cpu_limit = '{value}' }":                  "is the string",
		"x = { range = { least = 1, most = 2 }, choices = { a = {} } }":  "a number is the only answer",
		"x.choices = { a = { default = true }, b = { default = true } }": "several choices",
		"x.choices = { 'a b' = {} }":                                     "wants letters",
		"x.choices = { a = { mem_limit = 'lots' } }":                     "is no size",
		"x.choices = 7": "tables such as",
	} {
		_, err := Load(etc(t, map[string]string{MainFile: "[[spawner.profile]]\nname = 'gpu'\nprofile_options." + text + "\n"}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
