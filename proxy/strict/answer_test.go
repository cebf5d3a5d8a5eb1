package strict_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"reflect"
	"strings"
	"testing"

	"jupyterhubd/proxy/strict"
)

func readAnswer(s string) (strict.Answer, *bufio.Reader, error) {
	br := bufio.NewReaderSize(strings.NewReader(s), 64)
	a, err := strict.ReadAnswer(br, 64<<10, http.Header{})
	return a, br, err
}

// What two programs could read as two different answers is no answer.
func TestAmbiguousAnswersAreRefused(t *testing.T) {
	for name, head := range map[string]string{
		"nothing but lines":     "\r\n\r\n",
		"HTTP/0.9":              "<html>\r\n\r\n",
		"other protocol":        "ICY 200 OK\r\n\r\n",
		"HTTP/2":                "HTTP/2.0 200 OK\r\n\r\n",
		"two digits":            "HTTP/1.1 20 OK\r\n\r\n",
		"four digits":           "HTTP/1.1 2000 OK\r\n\r\n",
		"status below 100":      "HTTP/1.1 099 OK\r\n\r\n",
		"signed status":         "HTTP/1.1 +20 OK\r\n\r\n",
		"control in the reason": "HTTP/1.1 200 O\x00K\r\n\r\n",
		"two lengths":           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"two equal lengths":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
		"listed length":         "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
		"both framings":         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"other coding":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"chunked in HTTP/1.0":   "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"folded line":           "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"space before colon":    "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n",
		"no colon":              "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
		"no name":               "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
		"bare LF":               "HTTP/1.1 200 OK\nX: y\r\n\r\n",
		"bare LF at the end":    "HTTP/1.1 200 OK\r\nX: y\r\n\n",
		"bare CR":               "HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n",
		"NUL":                   "HTTP/1.1 200 OK\r\nX: y\x00z\r\n\r\n",
		"too many lines":        "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1001) + "\r\n",
	} {
		if a, _, err := readAnswer(head); err != strict.ErrAnswer {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, _, err := readAnswer("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 64<<10) + "\r\n\r\n"); err != strict.ErrTooLarge {
		t.Errorf("an endless head: %v", err)
	}
	for s, want := range map[string]error{"": io.EOF, "HTTP/1.1 200": io.ErrUnexpectedEOF, "HTTP/1.1 200 OK\r\nX: y\r\n": io.ErrUnexpectedEOF} {
		if _, _, err := readAnswer(s); err != want {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
}

func TestGoodAnswers(t *testing.T) {
	large := strings.Repeat("y", 60<<10)
	for s, want := range map[string]strict.Answer{
		"HTTP/1.1 200 OK\r\ncontent-length:  3 \r\n\r\nabc":                     {Status: 200, Reason: "OK", Minor: 1, Length: 3, Header: http.Header{"Content-Length": {"3"}}},
		"HTTP/1.0 404\r\n\r\nabc":                                               {Status: 404, Length: strict.UntilClose, Header: http.Header{}},
		"HTTP/1.1 204 \r\nX-A: \r\n\r\nabc":                                     {Status: 204, Minor: 1, Length: strict.UntilClose, Header: http.Header{"X-A": {""}}},
		"HTTP/1.1 200 Not so \xfc\r\nSET-COOKIE: a\r\nset-cookie: b\r\n\r\nabc": {Status: 200, Reason: "Not so \xfc", Minor: 1, Length: strict.UntilClose, Header: http.Header{"Set-Cookie": {"a", "b"}}},
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nx-a: " + large + "\r\n\r\nabc": {Status: 200, Reason: "OK", Minor: 1, Length: strict.Chunked,
			Header: http.Header{"Transfer-Encoding": {"Chunked"}, "X-A": {large}}},
	} {
		a, br, err := readAnswer(s)
		if err != nil || !reflect.DeepEqual(a, want) {
			t.Errorf("%.60q: %+v, %v", s, a, err)
		}
		if after, _ := io.ReadAll(br); string(after) != "abc" {
			t.Errorf("%.60q: after the head %q", s, after)
		}
	}
}

// FuzzAnswer: what is read here net/http reads in the same way.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n0\r\nT: v\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 404 \r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 304 x\r\nEtag: a\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, br, err := readAnswer(string(data))
		if err != nil {
			return
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), &http.Request{Method: "GET"})
		if err != nil {
			if strings.Contains(err.Error(), "Trailer") || strings.Contains(err.Error(), "trailer") { // a field that is removed here
				return
			}
			t.Fatalf("net/http: %v", err)
		}
		if a.Status != want.StatusCode || a.Minor != want.ProtoMinor {
			t.Fatalf("%+v, net/http has %s", a, want.Status)
		}
		for _, name := range []string{"Transfer-Encoding", "Trailer", "Content-Length"} { // net/http takes these away now and then
			delete(a.Header, name)
			delete(want.Header, name)
		}
		if !reflect.DeepEqual(a.Header, want.Header) {
			t.Fatalf("fields %q, net/http has %q", a.Header, want.Header)
		}
		if a.Length > 0 && a.Length != want.ContentLength && want.ContentLength != 0 {
			t.Fatalf("a body of %d bytes, net/http: %d", a.Length, want.ContentLength)
		}
		if a.Length == strict.Chunked && a.Status >= 200 && a.Status != 204 && a.Status != 304 {
			compareChunks(t, br, want.Body)
		}
	})
}

// FuzzChunks: the same bytes come out as out of net/http's reader, however they come in.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("A;x=y\r\n0123456789\r\n1\r\nz\r\n0\r\nX-T: 1\r\n\r\nrest"))
	f.Add([]byte("0\r\nContent-Length: 3\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		compareChunks(t, bufio.NewReaderSize(bytes.NewReader(data), 16), httputil.NewChunkedReader(bytes.NewReader(data)))
	})
}

func compareChunks(t *testing.T, br *bufio.Reader, theirs io.Reader) {
	c := &strict.Chunks{R: br}
	var got []byte
	buf := make([]byte, 7)
	for {
		ready, had := c.Ready(), br.Buffered()
		n, err := c.Read(buf)
		if ready && had == 0 && n > 0 {
			t.Fatal("ready, and yet it read from the connection")
		}
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			if !errors.Is(err, strict.ErrBody) && err != io.ErrUnexpectedEOF && err != strict.ErrTooLarge {
				t.Fatal(err)
			}
			return
		}
	}
	if want, err := io.ReadAll(theirs); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%q, net/http has %q, %v", got, want, err)
	}
}
