package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// trailed is an upstream that tells what came behind a body.
func trailed(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var names []string
	for name, values := range r.Trailer {
		names = append(names, fmt.Sprintf("%s=%s", name, strings.Join(values, "|")))
	}
	slices.Sort(names)
	fmt.Fprintf(w, "%s %v %s", body, err, strings.Join(names, " "))
}

// D16: what a request announces behind its body arrives there, over HTTP/1 in pieces as they come.
func TestD16RequestTrailersPass(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, trailed)
	s.alice(up.URL)
	const head = "POST /user/alice/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, X-More\r\nTrailer: X-Absent\r\n\r\n"
	c := s.dial()
	io.WriteString(c, head+"4\r\nbody\r\n0\r\nX-Sum: 42\r\nx-more: a\r\nX-Unsaid: 1\r\n")
	io.WriteString(c, "X-More: b\r\n\r\nGET /user/alice/next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(got), "body <nil> X-Absent= X-More=a|b X-Sum=42") || strings.Count(string(got), "200 OK") != 2 {
		t.Errorf("%q, %v", got, err)
	}
	if named := field(up.head(t), "Trailer"); len(named) != 1 || named[0] != "X-Absent, X-More, X-Sum" {
		t.Errorf("announced as %q", named)
	}
}

// Whether the length of the body is known or not, what follows it over HTTP/2 goes on in chunks.
func TestD16TrailersOfHTTP2Pass(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, trailed)
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	browser := s.over(config, true)
	for _, length := range []int64{-1, 4} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://localhost/user/alice/", io.NopCloser(strings.NewReader("body")))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength, r.Trailer = length, http.Header{"X-Sum": {"42"}, "X-Real-Ip": {"1.2.3.4"}, "Cookie": {"a=mallory"}}
		res, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := readReply(t, res); res.ProtoMajor != 2 || got.body != "body <nil> X-Sum=42" {
			t.Errorf("a length of %d, %s: %q", length, res.Proto, got.body)
		}
	}
}

// Attack: a field behind the body that a server takes for one of the head: who asks, for whom, with whose word, and how long the
// body is. Verified: none of them arrives, in either direction, and no name in Trailer changes where a request ends.
func TestForbiddenTrailersNeverPass(t *testing.T) {
	forbidden := []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Connection", "Cookie", "Authorization", "Proxy-Authorization",
		"X-Forwarded-For", "X_Forwarded_For", "X-Real-Ip", "X-Scheme", "Forwarded", "Set-Cookie", "X-Jupyterhub-Insecure", "X-Xsrftoken", "X-Hop", "X-Custom", "Clear-Site-Data"}
	s := newStage(t, Options{Manners: Manners{Headers: http.Header{"X-Custom": {"the site's"}}}})
	l, came := listen(t, "tcp", "127.0.0.1:0"), make(chan string, 1)
	go answerTrailed(t.Context(), l, forbidden, came)
	s.alice("http://" + l.Addr().String())
	c := s.dial()
	io.WriteString(c, "POST /user/alice/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close, X-Hop\r\nTrailer: X-Good, "+strings.Join(forbidden, ", ")+"\r\n\r\n4\r\nbody\r\n0\r\n")
	for _, name := range append(forbidden, "X-Good") {
		value := "mallory"
		switch name {
		case "Content-Length":
			value = "4"
		case "Transfer-Encoding":
			value = "chunked"
		}
		fmt.Fprintf(c, "%s: %s\r\n", name, value)
	}
	io.WriteString(c, "\r\n")
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(<-came, "\r\n\r\n")
	if !strings.Contains(head, "Trailer: X-Good\r\n") && !strings.HasSuffix(head, "Trailer: X-Good") || body != "4\r\nbody\r\n0\r\nX-Good: mallory\r\n\r\n" {
		t.Errorf("the server got %q behind %q", body, head)
	}
	if _, behind, _ := strings.Cut(string(answer), "\r\n0\r\n"); behind != "X-Good: mallory\r\n\r\n" {
		t.Errorf("the client got %q", answer)
	}
}

// answerTrailed answers one request with the same trailers that it came with, after it has told what came.
func answerTrailed(ctx context.Context, l net.Listener, names []string, came chan<- string) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var all []byte
	for buf := make([]byte, 4096); !strings.Contains(string(all), "\r\n0\r\n") || !strings.HasSuffix(string(all), "\r\n\r\n"); {
		n, err := c.Read(buf)
		if all = append(all, buf[:n]...); err != nil {
			break
		}
	}
	came <- string(all)
	io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Good, "+strings.Join(names, ", ")+"\r\n\r\n4\r\nbody\r\n0\r\nX-Good: mallory\r\n")
	for _, name := range names {
		switch name {
		case "Content-Length", "Transfer-Encoding", "Host": // these would be no answer at all
		case "X-Hop", "X-Custom": // what holds for requests alone
		default:
			fmt.Fprintf(c, "%s: mallory\r\n", name)
		}
	}
	io.WriteString(c, "\r\n")
}
