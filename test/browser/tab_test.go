package browser

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const chromium = "chromium"

// patience bounds every wait of a play; JupyterLab takes its time where nine others work.
const patience = time.Minute

// tab is one page of a browser that nobody used before.
type tab struct {
	t   *testing.T
	h   *house
	ctx context.Context

	mu       sync.Mutex // guards what follows
	console  []string   // what a page of ours must not say: errors, exceptions, violations of the content security policy
	sockets  map[network.RequestID]bool
	moved    chan struct{} // closed at the next change of sockets
	pictures int
}

// open starts a browser with one empty tab. Width and height are of the window, in pixels.
func (h *house) open(width, height int) *tab {
	h.t.Helper()
	said := new(spoken)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.UserDataDir(h.t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(width, height), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(patience), chromedp.CombinedOutput(said))
	options = append(options, h.flags...)
	browser, end := chromedp.NewExecAllocator(context.WithoutCancel(h.t.Context()), options...)
	ctx, closeTab := chromedp.NewContext(browser)
	x := &tab{t: h.t, h: h, ctx: ctx, sockets: map[network.RequestID]bool{}, moved: make(chan struct{})}
	h.t.Cleanup(func() {
		if h.t.Failed() {
			x.picture("failed")
			h.t.Logf("the browser says:\n%s", said)
		}
		if err := chromedp.Cancel(ctx); err != nil {
			h.t.Logf("close the browser: %v", err)
		}
		closeTab()
		end()
	})
	if err := launch(ctx); err != nil {
		h.t.Fatalf("start the browser: %v\n%s", err, said)
	}
	x.listen()
	x.do(network.Enable(), log.Enable())
	x.resize(width, height)
	return x
}

// launch starts the browser. Linux ends it with the thread that started it (chromedp asks for that, with Pdeathsig), and
// threads end here: each connection into the bed uses one up. So this one is kept as long as the browser.
func launch(ctx context.Context) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- chromedp.Run(ctx) // without a limit of time: the browser would end with it
		<-ctx.Done()
	}()
	return <-started
}

// another opens a second tab of the same browser.
func (x *tab) another() *tab {
	x.t.Helper()
	return x.attach()
}

// attach returns a tab of the same browser, a new one unless the options name one. Its context is begun without a limit of time,
// with which the tab would end.
func (x *tab) attach(options ...chromedp.ContextOption) *tab {
	x.t.Helper()
	ctx, end := chromedp.NewContext(x.ctx, options...)
	x.t.Cleanup(end)
	if err := chromedp.Run(ctx); err != nil {
		x.t.Fatalf("open a tab: %v", err)
	}
	other := &tab{t: x.t, h: x.h, ctx: ctx, sockets: map[network.RequestID]bool{}, moved: make(chan struct{})}
	other.listen()
	other.do(network.Enable(), log.Enable())
	return other
}

// listen notes what is said on the console and which WebSockets are open.
func (x *tab) listen() {
	chromedp.ListenTarget(x.ctx, func(event any) {
		x.mu.Lock()
		defer x.mu.Unlock()
		switch e := event.(type) {
		case *cdpruntime.EventExceptionThrown:
			x.console = append(x.console, e.ExceptionDetails.Error())
		case *cdpruntime.EventConsoleAPICalled:
			if e.Type == cdpruntime.APITypeError || e.Type == cdpruntime.APITypeWarning {
				x.console = append(x.console, fmt.Sprint(e.Type, e.Args))
			}
		case *log.EventEntryAdded:
			x.console = append(x.console, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		case *network.EventWebSocketHandshakeResponseReceived:
			if e.Response.Status == http.StatusSwitchingProtocols {
				x.socket(e.RequestID, true)
			}
		case *network.EventWebSocketClosed:
			x.socket(e.RequestID, false)
		}
	})
}

// socket is called with the lock held.
func (x *tab) socket(id network.RequestID, open bool) {
	if open {
		x.sockets[id] = true
	} else {
		delete(x.sockets, id)
	}
	close(x.moved)
	x.moved = make(chan struct{})
}

// awaitSockets waits until that is true of the number of open WebSockets.
func (x *tab) awaitSockets(limit time.Duration, good func(open int) bool) {
	x.t.Helper()
	late := time.After(limit)
	for {
		x.mu.Lock()
		open, moved := len(x.sockets), x.moved
		x.mu.Unlock()
		if good(open) {
			return
		}
		select {
		case <-moved:
		case <-late:
			x.t.Fatalf("after %s there are %d open WebSockets", limit, open)
		}
	}
}

// openSockets returns the WebSockets that are open.
func (x *tab) openSockets() map[network.RequestID]bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.sockets)
}

// do does what a person does, one after the other, within the patience.
func (x *tab) do(actions ...chromedp.Action) {
	x.t.Helper()
	if err := x.try(actions...); err != nil {
		x.picture("stuck")
		x.t.Fatalf("%v at %s\n%s", err, x.at(), x.text("body"))
	}
}

func (x *tab) try(actions ...chromedp.Action) error {
	ctx, done := context.WithTimeout(x.ctx, patience)
	defer done()
	return chromedp.Run(ctx, actions...)
}

// visit goes to a path of the proxy's.
func (x *tab) visit(path string) {
	x.t.Helper()
	x.do(chromedp.Navigate(x.h.url + path))
}

// sees waits for an element.
func (x *tab) sees(selector string) {
	x.t.Helper()
	x.do(chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// clicks waits for an element and clicks it.
func (x *tab) clicks(selector string) {
	x.t.Helper()
	x.do(chromedp.Click(selector, chromedp.ByQuery))
}

// presses clicks a button or link that leads to another page, and waits for that page.
func (x *tab) presses(selector string) {
	x.t.Helper()
	ctx, done := context.WithTimeout(x.ctx, patience)
	defer done()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		x.picture("stuck")
		x.t.Fatalf("press %s at %s: %v\n%s", selector, x.at(), err, x.text("body"))
	}
}

// types puts text into a field.
func (x *tab) types(selector, text string) {
	x.t.Helper()
	x.sees(selector)
	x.do(chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).value = ''", selector), nil), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// keys presses keys, wherever the focus is.
func (x *tab) keys(keys ...string) {
	x.t.Helper()
	for _, k := range keys {
		x.do(chromedp.KeyEvent(k))
	}
}

// logIn fills in the login form that is shown, with the system's password.
func (x *tab) logIn(name string) {
	x.t.Helper()
	x.types("#username_input", name)
	x.types("#password_input", x.h.Password(name))
	x.presses("#login_submit")
}

// eval returns what an expression of JavaScript is.
func eval[T any](x *tab, expression string) (value T) {
	x.t.Helper()
	if err := x.try(chromedp.Evaluate(expression, &value)); err != nil {
		x.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// becomes waits until an expression of JavaScript is true, over pages that load themselves again.
func (x *tab) becomes(expression string) {
	x.t.Helper()
	if !x.becomesWithin(patience, expression) {
		x.picture("stuck")
		x.t.Fatalf("never true at %s: %s\n%s", x.at(), expression, x.text("body"))
	}
}

func (x *tab) becomesWithin(limit time.Duration, expression string) bool {
	look, late := time.NewTicker(50*time.Millisecond), time.After(limit)
	defer look.Stop()
	for {
		var holds bool
		if err := x.try(chromedp.Evaluate("Boolean("+expression+")", &holds)); err == nil && holds {
			return true
		}
		select {
		case <-look.C:
		case <-late:
			return false
		}
	}
}

func (x *tab) text(selector string) (text string) {
	if err := x.try(chromedp.Text(selector, &text, chromedp.ByQuery)); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

func (x *tab) at() (url string) {
	if err := x.try(chromedp.Location(&url)); err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(url, x.h.url)
}

// says holds when an element shows the words.
func (x *tab) says(selector, words string) {
	x.t.Helper()
	if text := x.text(selector); !strings.Contains(text, words) {
		x.t.Errorf("at %s, %s says %q, and not %q", x.at(), selector, text, words)
	}
}

// trustsEverybody lets the browser take certificates of nobody's, as of a site that has just been installed.
func (x *tab) trustsEverybody() {
	x.t.Helper()
	x.do(security.SetIgnoreCertificateErrors(true))
}

// mustBeQuiet holds when the console has said nothing since the last time; it is about pages of ours.
func (x *tab) mustBeQuiet(where string) {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, line := range x.console {
		x.t.Errorf("%s: the console says %s", where, line)
	}
	x.console = nil
}

// mustSayOnly holds when every line on the console has the words in it.
func (x *tab) mustSayOnly(where, words string) {
	x.t.Helper()
	x.mu.Lock()
	x.console = slices.DeleteFunc(x.console, func(line string) bool { return strings.Contains(line, words) })
	x.mu.Unlock()
	x.mustBeQuiet(where)
}

// resize makes the window another size.
func (x *tab) resize(width, height int) {
	x.t.Helper()
	x.do(emulation.SetDeviceMetricsOverride(int64(width), int64(height), 1, width < 600))
}

// mustFit holds when the page is not wider than the window.
func (x *tab) mustFit(where string) {
	x.t.Helper()
	if over := eval[float64](x, "document.documentElement.scrollWidth - window.innerWidth"); over > 0 {
		x.t.Errorf("%s is %v pixels wider than the window", where, over)
	}
}

// picture keeps a screenshot of the whole page in the directory that PICTURES names, or with the test's own files.
func (x *tab) picture(name string) {
	x.t.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		dir = x.t.TempDir()
	}
	ctx, done := context.WithTimeout(x.ctx, patience/6) // a picture is no part of the play
	defer done()
	var png []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		x.t.Logf("no picture of %s: %v", name, err)
		return
	}
	x.pictures++
	file := filepath.Join(dir, fmt.Sprintf("%s-%02d-%s.png", strings.ReplaceAll(x.t.Name(), "/", "-"), x.pictures, name))
	if err := os.WriteFile(file, png, 0o600); err != nil {
		x.t.Error(err)
	}
}

// enter and tabulator are keys with names that are easily confused with what is typed.
const (
	enter     = kb.Enter
	tabulator = kb.Tab
)

// spoken is what the browser writes, readable while it writes on.
type spoken struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
