package docs

import (
	"regexp"
	"strings"
	"testing"
)

// structPattern finds the structs of hub/config that hold values, fieldPattern their fields.
var (
	structPattern = regexp.MustCompile(`(?s)\ntype (?:Hub|Role|Scope|Group|Service|Authenticator|Spawner|Policy|Profile|Proxy|Culler) struct \{\n(.*?)\n\}`)
	fieldPattern  = regexp.MustCompile(`(?m)^\t([A-Z]\w*) `)
)

// TestEveryOptionIsReadByAMain keeps the configuration from promising what no program does. Mains translate the configuration,
// and nobody else sees it, so a field that no main names is an option without effect.
func TestEveryOptionIsReadByAMain(t *testing.T) {
	internal := map[string]bool{
		"GroupSlice": true, // becomes SliceGroup
		// become properties of the sandbox
		"IsolateTmp": true, "IsolateDevices": true, "DisableUserSudo": true,
		"Kind":    true, // there is one
		"Overlay": true, // PolicyFor applies it
		"Users":   true,
		"Groups":  true,
	}
	var mains strings.Builder
	for _, file := range glob(t, "../cmd/jupyterhub*/*.go") {
		if !strings.HasSuffix(file, "_test.go") {
			mains.WriteString(read(t, file))
		}
	}
	for _, file := range glob(t, "../hub/config/*.go") {
		for _, s := range structPattern.FindAllStringSubmatch(read(t, file), -1) {
			for _, field := range fieldPattern.FindAllStringSubmatch(s[1], -1) {
				if !internal[field[1]] && !regexp.MustCompile(`\.`+field[1]+`\b`).MatchString(mains.String()) {
					t.Errorf("no main reads %s", field[1])
				}
			}
		}
	}
}
