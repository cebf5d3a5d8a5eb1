package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// orders is a transport to a certificate authority that remembers where its orders are. Package acme finds the order that it
// has just finalized by the Location of the answer, which Let's Encrypt sends and RFC 8555 (7.4) does not promise; others, as
// Pebble since 2.9, leave it out.
type orders struct {
	next http.RoundTripper

	mu    sync.Mutex
	known map[string]string // guarded by mu; from an order's finalize URL to its own
}

// Limits of what is remembered of an authority's answers.
const (
	maxOrder  = 1 << 20 // bytes
	maxOrders = 1000    // one is forgotten once it is finalized
)

func newOrders(next http.RoundTripper) *orders {
	return &orders{next: next, known: map[string]string{}}
}

func (o *orders) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := o.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost {
		return answer, err
	}
	at := answer.Header.Get("Location")
	switch {
	case answer.StatusCode == http.StatusCreated && at != "":
		err = o.note(answer, at)
	case answer.StatusCode == http.StatusOK && at == "":
		if at = o.take(r.URL.String()); at != "" {
			answer.Header.Set("Location", at)
		}
	}
	return answer, err
}

// note remembers an order, if the answer is one.
func (o *orders) note(answer *http.Response, at string) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxOrder))
	answer.Body.Close()
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var order struct{ Finalize string }
	if json.Unmarshal(body, &order) != nil || order.Finalize == "" {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= maxOrders {
		clear(o.known)
	}
	o.known[order.Finalize] = at
	return nil
}

func (o *orders) take(finalize string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.known[finalize]
	delete(o.known, finalize)
	return at
}
