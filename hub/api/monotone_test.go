package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
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
	compare := func(t interface{ Fatalf(string, ...any) }, few, many []string, rows []int) {
		less, more := w.twoServices(few, many)
		for _, i := range rows {
			q := request{row: i, query: "include_stopped_servers"}
			a, b := q.send(w, stranger{token: less}), q.send(w, stranger{token: more})
			if a.status != 200 || a.head.Get("Content-Type") != "application/json" {
				continue
			}
			var x, y any
			if b.status != 200 || json.Unmarshal([]byte(a.body), &x) != nil || json.Unmarshal([]byte(b.body), &y) != nil || !within(x, y) {
				t.Fatalf("%s shows to %v\n%s, to %v %d\n%s", w.room.Routes()[i].Pattern, few, a.body, many, b.status, b.body)
			}
		}
	}
	for _, scope := range w.room.Policy().Scopes() { // each beside those that show most
		for _, beside := range []string{"read:users", "admin:groups", "admin:servers!user=alice"} {
			compare(t, []string{scope.Name}, []string{scope.Name, beside}, rows)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		some := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom(someScopes).Draw(t, "scope") + rapid.SampledFrom(someFilters).Draw(t, "filter")
		}), 0, 3)
		few := some.Draw(rt, "few")
		compare(rt, few, append(some.Draw(rt, "more"), few...), rapid.SliceOfN(rapid.SampledFrom(rows), 12, 12).Draw(rt, "rows"))
	})
}

// twoServices makes services with these scopes, and their tokens, in one transaction: there are hundreds.
func (w *world) twoServices(few, many []string) (less, more string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for _, s := range []struct {
			name   string
			scopes []string
			token  *string
		}{{"less", few, &less}, {"more", many, &more}} {
			if err := tx.PutService(hub.Service{Name: s.name, Scopes: s.scopes}); err != nil {
				return err
			}
			owner := hub.Owner{Kind: hub.OwnerService, Name: s.name}
			if err := tx.DeleteTokensOf(owner); err != nil {
				return err
			}
			var err error
			if *s.token, _, err = tx.NewToken(hub.Token{Owner: owner, Scopes: []string{rbac.Inherit}}); err != nil {
				return err
			}
		}
		return nil
	})
	return less, more
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
			shown, there := other[key]
			ok = ok && there && within(value, shown)
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
