package httpd

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"jupyterhubd/hub/auth"
)

// Porter says who asks, and lets them past a row or not. *auth.Porter is one.
type Porter interface {
	Browser(next http.Handler) http.Handler // cookies and tokens
	Tokens(next http.Handler) http.Handler  // tokens alone
	Peers(next http.Handler) http.Handler   // the uid at the other end of a Unix socket
	// Guard returns the row's handler behind the row's plate: XSRF, login, scopes.
	Guard(auth.Route) func(http.ResponseWriter, *http.Request) error
}

// Pages renders refusals for people. hub/web does.
type Pages interface {
	RenderError(w http.ResponseWriter, r *http.Request, status int, err error)
}

// Options of a hall.
type Options struct {
	BaseURL string // leading and trailing slash: "/", "/jupyter/"
	Porter  Porter
	Pages   Pages
	API     []auth.Route // JSON rooms: at every door
	Browser []auth.Route // page rooms: at the browser's door alone
	Log     zerolog.Logger
	Deeds   func(Deed)        // is told what requests change; nil for nobody. It must not block
	Headers map[string]string // of every answer, in place of ours
	// LegacyStopped answers 503 and not 424 for a server that does not run.
	LegacyStopped bool
	MaxBody       int64            // bytes of a request's body; 0 means 1 MiB
	Now           func() time.Time // nil means time.Now

	Metrics       prometheus.Registerer // where the hall's own go; nil for nowhere
	Gatherer      prometheus.Gatherer   // what /metrics shows; nil for no such path
	PublicMetrics bool                  // authenticate_prometheus = false
}

// Hall has one handler for each kind of door. All share the rows, the order of steps and the limits.
type Hall struct {
	base    string // "/jupyter/"
	log     zerolog.Logger
	deeds   func(Deed)
	pages   Pages
	porter  Porter
	whole   *table // API and pages
	apiOnly *table
	admin   *table // the API, with and without the base URL
	headers map[string]string
	stopped int // the status of a server that does not run
	maxBody int64
	now     func() time.Time
	seconds *prometheus.HistogramVec
	reports prometheus.Counter
	logins  logins
	budget  budget // of the log
}

// New puts the rooms' rows into the table. It refuses a row that says neither which scopes it needs nor that it is public,
// one without a handler, and two rows for one path and method.
func New(o Options) (*Hall, error) {
	if !strings.HasPrefix(o.BaseURL, "/") || !strings.HasSuffix(o.BaseURL, "/") {
		return nil, fmt.Errorf("base URL %q does not begin and end with a slash", o.BaseURL)
	}
	h := &Hall{base: o.BaseURL, log: o.Log, deeds: o.Deeds, pages: o.Pages, porter: o.Porter, maxBody: o.MaxBody, now: o.Now, seconds: durations(), reports: cspReports(), logins: newLogins()}
	h.headers, h.stopped = o.Headers, http.StatusFailedDependency
	if o.LegacyStopped {
		h.stopped = http.StatusServiceUnavailable
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.maxBody <= 0 {
		h.maxBody = 1 << 20
	}
	if err := h.register(o.Metrics); err != nil {
		return nil, err
	}
	api, pages := append(h.ownAPI(o), o.API...), append(h.ownPages(o), o.Browser...)
	var err error
	if h.apiOnly, err = h.newTable(api, nil); err != nil {
		return nil, err
	}
	if h.admin, err = h.newTable(api, nil); err != nil {
		return nil, err
	}
	h.admin.bare = true
	h.whole, err = h.newTable(api, pages)
	return h, err
}

// Browser returns the handler of hub.sock: everything, for cookies and tokens, behind our proxy.
func (h *Hall) Browser() http.Handler { return h.through(h.whole, h.porter.Browser) }

// API returns the handler of 127.0.0.1:8081: the API for tokens. No proxy stands before it, so what a request claims
// about one is taken away, and so are its cookies.
func (h *Hall) API() http.Handler { return h.through(h.apiOnly, plain, h.porter.Tokens) }

// Admin returns the handler of admin.sock: the API, as whoever is at the other end (see Server). It is at /hub/api whatever
// the base URL: the admin's command line reads the file, and the file may say what holds only after a restart.
func (h *Hall) Admin() http.Handler { return h.through(h.admin, plain, h.porter.Peers) }

// through puts the steps before a table. This is the order in which everything happens to a request.
func (h *Hall) through(t *table, doors ...func(http.Handler) http.Handler) http.Handler {
	steps := append([]func(http.Handler) http.Handler{h.recovered, h.counted, h.headed, h.bounded}, doors...)
	var next http.Handler = t
	for _, step := range slices.Backward(steps) {
		next = step(next)
	}
	return next
}

// claims are the headers by which a proxy says for whom it asks.
var claims = []string{"Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "X-Scheme"}

// plain takes cookies and a proxy's claims out of a request.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range claims {
			r.Header.Del(name)
		}
		next.ServeHTTP(w, r)
	})
}

// check says what is wrong with a row.
func check(rt auth.Route) error {
	switch {
	case rt.Handle == nil:
		return fmt.Errorf("row %s %s has no handler", rt.Method, rt.Pattern)
	case !rt.Public && len(rt.Scopes) == 0:
		return fmt.Errorf("row %s %s needs scopes, or to say that it is public", rt.Method, rt.Pattern)
	case rt.Public && len(rt.Scopes) > 0:
		return fmt.Errorf("row %s %s is public and yet names scopes", rt.Method, rt.Pattern)
	case slices.Contains(rt.Scopes, ""):
		return errors.New("row " + rt.Method + " " + rt.Pattern + " names an empty scope")
	}
	return nil
}
