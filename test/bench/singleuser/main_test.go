package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestListensWhereItsHubSays(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	// As root's side tells it, with words before it that are not for it.
	l, err := listen([]string{"--socket", socket, "--", "/bin/true", "--ServerApp.sock=" + socket, "--ServerApp.sock_mode=0666"}, "http://127.0.0.1:8888/user/alice/")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket has the mode %v: %v", info.Mode(), err)
	}
	l, err = listen(nil, "http://127.0.0.1:0/user/alice/")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, ok := l.Addr().(*net.TCPAddr); !ok {
		t.Errorf("listens at %v", l.Addr())
	}
	for _, nowhere := range []string{"", "user/alice", "%"} {
		if l, err := listen(nil, nowhere); err == nil {
			t.Errorf("%q: listens at %v", nowhere, l.Addr())
		}
	}
}

func TestAnswersEverything(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/user/alice/api", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if body, err := io.ReadAll(got.Body); got.StatusCode != 200 || got.Header.Get("X-JupyterHub-Version") == "" || len(body) == 0 {
		t.Errorf("%s %v %q %v", got.Status, got.Header, body, err)
	}
}
