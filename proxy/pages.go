package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Limits of a page that somebody else renders.
const (
	borrowTime  = 2 * time.Second
	borrowBytes = 1 << 20
)

// errorPage is a page for an answer of the proxy's own that somebody else made.
type errorPage struct {
	body   []byte
	header http.Header // what it is, and what it may do
}

func (e *errorPage) write(w http.ResponseWriter, status int) {
	h := w.Header()
	delete(h, "Content-Security-Policy") // ours is for our own page
	for name, values := range e.header {
		h[name] = values
	}
	w.WriteHeader(status)
	w.Write(e.body)
}

// pageFor returns the page for a status, or nil for our own plain one: the pages are a courtesy. The hub is not asked for one
// that says that it is away.
func (p *Proxy) pageFor(ps *passage, status int) *errorPage {
	switch {
	case p.pages != nil && (ps.route == nil || !ps.route.isHub()):
		return p.borrow(ps.in.Context(), status, ps.place.raw)
	case p.options.Manners.ErrorPath != "":
		return readPage(p.options.Manners.ErrorPath, status)
	}
	return nil
}

// borrow asks the error target for its page: GET <target>/<status>?url=<path>. Neither cookies nor the query go there, since
// both can hold secrets. Whatever status it comes with, it is given with the proxy's own.
func (p *Proxy) borrow(ctx context.Context, status int, path string) *errorPage {
	ctx, cancel := context.WithTimeout(ctx, borrowTime)
	defer cancel()
	to := p.pages.target
	u := url.URL{Scheme: to.scheme, Host: to.host, Path: to.path + "/" + strconv.Itoa(status), RawQuery: "url=" + url.QueryEscape(path)}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil
	}
	answer, err := p.pages.transport().RoundTrip(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, borrowBytes))
	if err != nil || answer.Header.Get("Content-Type") == "" || answer.StatusCode >= http.StatusInternalServerError {
		return nil
	}
	page := &errorPage{body: body, header: http.Header{}}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Security-Policy"} {
		if values := answer.Header[name]; values != nil {
			page.header[name] = values
		}
	}
	return page
}

// transport asks an upstream now and then: every request has a connection of its own.
func (u *upstream) transport() *http.Transport {
	return &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return u.dial(ctx) },
		TLSClientConfig:        u.tls,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswerHead,
	}
}

// readPage reads <status>.html or error.html in a directory.
func readPage(dir string, status int) *errorPage {
	for _, name := range []string{strconv.Itoa(status) + ".html", "error.html"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(f, borrowBytes))
		f.Close()
		if err == nil {
			return &errorPage{body: body, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}
		}
	}
	return nil
}
