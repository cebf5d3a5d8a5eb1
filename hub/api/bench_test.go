package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/store"
)

// crowd adds users, a few of them with a server that runs.
func (w *world) crowd(n int) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for i := range n {
			if _, err := tx.PutUser(hub.User{Name: fmt.Sprintf("student%05d", i), UID: int64(20000 + i)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ head http.Header }

func (d discard) Header() http.Header         { return d.head }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(b []byte) (int, error) { return len(b), nil }

func (w *world) loop(b *testing.B, token, path string) {
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "token "+token)
		w.door.ServeHTTP(discard{http.Header{}}, r)
	}
}

func BenchmarkListOf1000Users(b *testing.B) {
	w := newWorld(b, func(o *api.Options) { o.PageMax = 1000 })
	w.crowd(1000)
	w.loop(b, w.token("admin"), "/hub/api/users?limit=1000")
}

func BenchmarkFirstPageOf20000Users(b *testing.B) {
	w := newWorld(b)
	w.crowd(20000)
	w.loop(b, w.token("admin"), "/hub/api/users")
}

func BenchmarkActivity(b *testing.B) {
	w := newWorld(b)
	token := w.token("alice")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/hub/api/users/alice/activity", strings.NewReader(`{"last_activity": "2026-11-21T20:10:00.123456Z"}`))
		r.Header.Set("Authorization", "token "+token)
		w.tokens.ServeHTTP(discard{http.Header{}}, r)
	}
}

func BenchmarkWhoAmI(b *testing.B) {
	w := newWorld(b)
	w.loop(b, w.token("alice"), "/hub/api/user")
}
