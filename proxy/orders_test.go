package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// An authority that does not say again where an order is gets finalized all the same; one that says it is believed.
func TestOrdersAreFoundAfterTheirEnd(t *testing.T) {
	authority := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/new":
			w.Header().Set("Location", "/order/1")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"status": "pending", "finalize": "http://`+r.Host+`/finalize/1"}`)
		case "/says":
			w.Header().Set("Location", "/order/2")
		}
	})
	client := &http.Client{Transport: newOrders(http.DefaultTransport)}
	for _, step := range []struct{ path, location, body string }{
		{"/finalize/1", "", ""},
		{"/new", "/order/1", "finalize/1"},
		{"/says", "/order/2", ""},
		{"/finalize/2", "", ""},
		{"/finalize/1", "/order/1", ""},
		{"/finalize/1", "", ""},
	} {
		res, err := client.Post(authority.URL+step.path, "application/jose+json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := readReply(t, res); got.header.Get("Location") != step.location || !strings.Contains(got.body, step.body) {
			t.Errorf("%s: Location %q, %s", step.path, got.header.Get("Location"), got.body)
		}
	}
}
