package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

// player is somebody at a browser: a jar of cookies, and forms that are filled in by hand. It runs no script.
type player struct {
	s    *stage
	t    *testing.T
	name string
	http *http.Client
	door string // the hub's address
	own  string // origin of the player's servers; "" for the hub's
}

// page is what a browser shows after all redirects.
type page struct {
	status int
	url    *url.URL
	header http.Header
	text   string
}

// player returns the person with a new browser.
func (s *stage) player(name string) *player {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := s.Transport()
	s.t.Cleanup(transport.CloseIdleConnections)
	return &player{s: s, t: s.t, name: name, http: &http.Client{Jar: jar, Transport: transport}, door: testbed.URL}
}

// logIn fills in the login form with the system's password and goes on to where next leads.
func (p *player) logIn(next string) page {
	p.t.Helper()
	at := p.tryPassword(p.s.Password(p.name), next)
	if at.status != http.StatusOK || strings.Contains(at.text, "login-form") {
		p.t.Fatalf("%s logs in and is at %s, %d:\n%s", p.name, at.url, at.status, at.text)
	}
	return at
}

// tryPassword fills in the login form with any password.
func (p *player) tryPassword(password, next string) page {
	p.t.Helper()
	form := p.get("/hub/login?next=" + url.QueryEscape(next))
	return p.post(form.attribute("form", "action"), url.Values{
		"_xsrf": {form.field("_xsrf")}, "username": {p.name}, "password": {password},
	})
}

// get goes to an address, which may lack scheme and host.
func (p *player) get(address string) page {
	p.t.Helper()
	return p.do(http.MethodGet, address, "", nil)
}

// post sends a form.
func (p *player) post(address string, form url.Values) page {
	p.t.Helper()
	return p.do(http.MethodPost, address, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func (p *player) do(method, address, kind string, body io.Reader) page {
	p.t.Helper()
	request := p.request(p.s.ctx, method, address, body)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	// What scripts send and what pages have in common: a server wants its own token back.
	if token := p.cookie(request.URL, "_xsrf"); token != "" {
		request.Header.Set("X-XSRFToken", token)
	}
	response, err := p.http.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return page{response.StatusCode, response.Request.URL, response.Header, string(text)}
}

func (p *player) request(ctx context.Context, method, address string, body io.Reader) *http.Request {
	p.t.Helper()
	base, err := url.Parse(p.door)
	if err == nil {
		base, err = base.Parse(address)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, method, base.String(), body)
	if err != nil {
		p.t.Fatal(err)
	}
	return request
}

// cookie returns the value of a cookie that would be sent to an address.
func (p *player) cookie(to *url.URL, name string) string {
	for _, c := range p.http.Jar.Cookies(to) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// server is the address of the player's default server.
func (p *player) server() string { return p.own + "/user/" + p.name + "/" }

// startServer asks for the server as a person does, follows its progress to the end, and returns what was told on the way.
func (p *player) startServer() []hub.Event {
	p.t.Helper()
	at := p.get("/hub/spawn")
	if !strings.Contains(at.text, "data-progress-url") {
		return nil // it was quicker than the page
	}
	return p.progress(at.attribute("div", "data-progress-url"))
}

// progress reads an event stream to its end.
func (p *player) progress(address string) []hub.Event {
	p.t.Helper()
	ctx, done := context.WithTimeout(p.s.ctx, 2*patience)
	defer done()
	response, err := p.http.Do(p.request(ctx, http.MethodGet, address, nil))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		p.t.Fatalf("progress of %s answers %s, %s", p.name, response.Status, kind)
	}
	var events []hub.Event
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e hub.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			p.t.Fatalf("%v in event %q", err, data)
		}
		if events = append(events, e); e.Last() {
			return events
		}
	}
	p.t.Fatalf("the stream of events broke off after %+v: %v", events, lines.Err())
	return nil
}

// api calls the server's own API, as its page's scripts do, and decodes the answer.
func (p *player) api(method, path string, in, out any) {
	p.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	at := p.do(method, p.server()+"api/"+path, "application/json", bytes.NewReader(body))
	if at.status >= http.StatusMultipleChoices {
		p.t.Fatalf("%s %s answers %d: %s", method, at.url, at.status, at.text)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(at.text), out); err != nil {
			p.t.Fatalf("%s %s answers %q: %v", method, at.url, at.text, err)
		}
	}
}

// attribute returns an attribute of the first element of that kind that has it.
func (at page) attribute(element, name string) string {
	return at.find(fmt.Sprintf(`<%s[^>]*\s%s="([^"]*)"`, element, name))
}

// field returns the value of a hidden field.
func (at page) field(name string) string {
	return at.find(fmt.Sprintf(`<input[^>]*name="%s"[^>]*value="([^"]*)"`, name))
}

func (at page) find(pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(at.text); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// words is the text of a page as a person reads it.
func (at page) words() string {
	text := regexp.MustCompile(`(?s)<head>.*</head>|<[^>]*>`).ReplaceAllString(at.text, " ")
	return strings.Join(strings.Fields(html.UnescapeString(text)), " ")
}

// lines is what a program in the background has said; seen is closed with the first of it.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
	seen chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() == 0 {
		close(l.seen)
	}
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
