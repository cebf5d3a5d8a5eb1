package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRoutesLeadToTheirTargets(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path+" for "+r.Header.Get("X-Forwarded-For"))
	}))
	defer echo.Close()
	h, err := handler([]string{"/=" + echo.URL})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(h)
	defer front.Close()
	answer, err := http.Get(front.URL + "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, err := io.ReadAll(answer.Body); err != nil || string(b) != "/a/b for 127.0.0.1" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestWhatIsNoRoute(t *testing.T) {
	for _, args := range [][]string{nil, {":0"}, {":0", "/"}, {":0", "/=nowhere"}} {
		if run(args) == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
