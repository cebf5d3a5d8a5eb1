package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// side is a hub that conversations are held with, and what was learned there.
type side struct {
	t        *testing.T
	name     string
	dial     func(context.Context) (net.Conn, error)
	plain    *http.Client
	browsers map[string]*http.Client // by whose they are
	saved    map[string]string
	before   func(step) error // sets the scene of a request; nil where none is needed
}

func newSide(t *testing.T, name string, dial func(context.Context) (net.Conn, error)) *side {
	s := &side{t: t, name: name, dial: dial, browsers: map[string]*http.Client{}, saved: map[string]string{}}
	s.plain = s.client(nil)
	for _, service := range readSite(t).Services {
		s.saved[service.Name] = service.Token
	}
	return s
}

func (s *side) client(jar http.CookieJar) *http.Client {
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// browser is the one of a person's; it keeps cookies.
func (s *side) browser(whose string) *http.Client {
	if s.browsers[whose] == nil {
		jar, _ := cookiejar.New(nil)
		s.browsers[whose] = s.client(jar)
	}
	return s.browsers[whose]
}

// reply is an answer, before it is compared.
type reply struct {
	status int
	header http.Header
	body   string
}

// hold holds all conversations, one request after the other.
func (s *side) hold(steps []step) ([]reply, error) {
	replies := make([]reply, len(steps))
	for i, st := range steps {
		var err error
		if replies[i], err = s.ask(st); err != nil {
			return nil, fmt.Errorf("%s: %s: %s: %w", s.name, st.at, st, err)
		}
		lines := st.after
		if replies[i].status < 400 {
			lines = append(lines, st.undo...)
		}
		for _, line := range lines {
			var u step
			u.say("stage " + line)
			if _, err := s.ask(u); err != nil {
				return nil, fmt.Errorf("%s: %s: %s: %w", s.name, st.at, line, err)
			}
		}
	}
	return replies, nil
}

// patience is how long one answer may take.
const patience = 30 * time.Second

// ask sends one request and saves what is to be saved of the answer.
func (s *side) ask(st step) (reply, error) {
	if s.before != nil {
		if err := s.before(st); err != nil {
			return reply{}, err
		}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	client, whose := s.plain, ""
	if name, ok := strings.CutSuffix(st.who, "@browser"); ok {
		client, whose = s.browser(name), name
		s.remember(client)
	}
	path, whole := strings.CutPrefix(s.fill(st.path), ".")
	if !whole {
		path = "/hub/api" + path
	}
	if !strings.HasPrefix(path, "//") {
		path = "//hub.test" + path
	}
	r, err := http.NewRequestWithContext(ctx, st.method, "http:"+path, strings.NewReader(s.fill(st.body)))
	if err != nil {
		return reply{}, err
	}
	if whose == "" && st.who != "nobody" {
		r.Header.Set("Authorization", "token "+s.fill("$"+st.who))
	}
	for _, line := range st.header {
		name, value, _ := strings.Cut(s.fill(line), ": ")
		r.Header.Add(name, value)
	}
	got, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return reply{}, err
	}
	answer := reply{got.StatusCode, got.Header, string(body)}
	for _, save := range st.save {
		if err := s.learn(save[0], save[1], answer); err != nil {
			return answer, err
		}
	}
	return answer, nil
}

// remember makes the XSRF token that a browser would send known as $xsrf.
func (s *side) remember(c *http.Client) {
	delete(s.saved, "xsrf")
	for _, cookie := range c.Jar.Cookies(&url.URL{Scheme: "http", Host: "hub.test", Path: "/hub/"}) {
		if cookie.Name == "_xsrf" {
			s.saved["xsrf"] = cookie.Value
		}
	}
}

var variable = regexp.MustCompile(`\$[a-z_]+`)

func (s *side) fill(text string) string {
	if len(text) > 1<<16 {
		return text
	}
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := s.saved[name[1:]]; ok {
			return value
		}
		return name
	})
}

// learn saves a JSON key of an answer, or what stands between two pieces of its Location.
func (s *side) learn(name, key string, from reply) error {
	if before, after, ok := strings.Cut(key, "*"); ok {
		_, rest, found := strings.Cut(from.header.Get("Location"), before)
		value, _, _ := strings.Cut(rest, after)
		if !found || value == "" {
			return fmt.Errorf("no %q in %q", key, from.header.Get("Location"))
		}
		s.saved[name] = value
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(from.body), &body); err != nil || body[key] == nil {
		return fmt.Errorf("no %q in %d %.200s", key, from.status, from.body)
	}
	s.saved[name] = fmt.Sprint(body[key])
	return nil
}

// startUpstream starts a real JupyterHub.
func startUpstream(t *testing.T, environment ...string) *side {
	t.Helper()
	program := needs(t, "singleuser-6.1.1", "jupyterhub")
	config, err := filepath.Abs("testdata/jupyterhub_config.py")
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "jh") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	said := new(spoken)
	cmd := exec.Command(program, "--config="+config)
	cmd.Dir, cmd.Stdout, cmd.Stderr = home, said, said
	cmd.Env = []string{"HOME=" + home, "HUB_HOME=" + home, "HUB_SITE=" + filepath.Join(filepath.Dir(config), "site.json"), "PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "LANG=C.UTF-8", "JUPYTERHUB_CRYPT_KEY=" + cryptKey}
	cmd.Env = append(cmd.Env, environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() && os.Getenv("VERBOSE") != "" {
			t.Logf("JupyterHub said:\n%s", said)
		}
	})
	s := newSide(t, "JupyterHub", func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(home, "hub.sock"))
	})
	s.awaitAnswer(ended, said)
	return s
}

// awaitAnswer waits until the hub answers.
func (s *side) awaitAnswer(ended <-chan struct{}, said fmt.Stringer) {
	s.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	late := time.After(2 * time.Minute)
	for {
		if got, err := s.ask(step{who: "nobody", method: "GET", path: "/"}); err == nil && got.status == http.StatusOK {
			return
		}
		select {
		case <-look.C:
		case <-ended:
			s.t.Fatalf("JupyterHub ended:\n%s", said)
		case <-late:
			s.t.Fatalf("JupyterHub did not answer within two minutes:\n%s", said)
		}
	}
}
