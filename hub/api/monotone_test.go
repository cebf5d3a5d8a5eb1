package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Less scope never shows more: whatever an answer holds for somebody, it holds for who has these scopes and others besides.
func TestLessScopeNeverShowsMore(t *testing.T) {
	w := strangers(t)
	var rows []int
	for i, row := range w.room.Routes() {
		if row.Method == "GET" && !row.Public && row.Pattern != "/hub/api/user" && !strings.Contains(row.Pattern, "/authorizations/") {
			rows = append(rows, i)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		some := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom(someScopes).Draw(t, "scope") + rapid.SampledFrom(someFilters).Draw(t, "filter")
		}), 0, 3)
		few := some.Draw(rt, "few")
		many := append(some.Draw(rt, "more"), few...)
		less, more := w.service("less", few...), w.service("more", many...)
		for range 12 {
			q := request{row: rapid.SampledFrom(rows).Draw(rt, "row"), query: "include_stopped_servers"}
			a, b := q.send(w, less), q.send(w, more)
			if a.status != 200 || a.head.Get("Content-Type") != "application/json" {
				continue
			}
			var x, y any
			if b.status != 200 || json.Unmarshal([]byte(a.body), &x) != nil || json.Unmarshal([]byte(b.body), &y) != nil || !within(x, y) {
				rt.Fatalf("%s shows to %v\n%s, to %v %d\n%s", w.room.Routes()[q.row].Pattern, few, a.body, many, b.status, b.body)
			}
		}
	})
}

// within reports whether everything in x is in y: objects key by key, lists element by element, in whatever order.
func within(x, y any) bool {
	switch x := x.(type) {
	case map[string]any:
		other, ok := y.(map[string]any)
		for key, value := range x {
			if key == "_pagination" {
				continue // it counts, and more scope counts more
			}
			ok = ok && within(value, other[key])
		}
		return ok
	case []any:
		other, ok := y.([]any)
		for _, value := range x {
			found := false
			for _, candidate := range other {
				found = found || within(value, candidate)
			}
			ok = ok && found
		}
		return ok
	}
	return reflect.DeepEqual(x, y)
}
