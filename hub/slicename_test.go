package hub

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSliceNames(t *testing.T) {
	for want, got := range map[string]string{
		"jupyter-user_alice.slice":                          UserSlice("alice", ""),
		`jupyter-user_mary\x2dann.slice`:                    UserSlice("mary-ann", ""),
		"jupyter-group_gpu.slice":                           GroupSlice("gpu"),
		`jupyter-group_data\x2dscience-user_DOM\x5cb.slice`: UserSlice(`DOM\b`, "data-science"),
		`jupyter-user_a\x40b.slice`:                         UserSlice("a@b", ""),
		`jupyter-user_\x2ea.slice`:                          UserSlice(".a", ""),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// No two users share a slice, nor a user and a group, nor one user in two groups; and a user's slice is in her group's.
func TestSliceNamesAreInjective(t *testing.T) {
	name := rapid.StringOfN(rapid.RuneFrom([]rune(`ab-.~_@\/x2dé0 A`)), 0, 60, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := name.Draw(t, "user"), name.Draw(t, "other user")
		g, h := "g"+name.Draw(t, "group"), "g"+name.Draw(t, "other group")
		if (a != b || g != h) && UserSlice(a, g) == UserSlice(b, h) {
			t.Fatalf("%q in %q and %q in %q share %s", a, g, b, h, UserSlice(a, g))
		}
		if a != b && UserSlice(a, "") == UserSlice(b, "") || g != h && GroupSlice(g) == GroupSlice(h) {
			t.Fatalf("%q and %q, or %q and %q, share a slice", a, b, g, h)
		}
		all := []string{UserSlice(a, ""), UserSlice(a, g), GroupSlice(g), GroupSlice(a)}
		for i, one := range all {
			if len(one) > 255 || strings.Trim(one, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\") != "" {
				t.Fatalf("%q is no unit's name", one)
			}
			// systemd refuses "--", and a dash at an end
			if strings.Contains(one, "--") || strings.HasSuffix(one, "-.slice") {
				t.Fatalf("%s leads nowhere", one)
			}
			for _, other := range all[i+1:] {
				if one == other {
					t.Fatalf("%q and %q share %s", a, g, one)
				}
			}
		}
		if !strings.HasPrefix(UserSlice(a, g), strings.TrimSuffix(GroupSlice(g), ".slice")+"-") {
			t.Fatalf("%s is not in %s", UserSlice(a, g), GroupSlice(g))
		}
	})
}
