package httpd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"jupyterhubd/hub"
)

// recovered is the outermost step: it gives the request its visit, and answers 500 when something inside panics.
// http.ErrAbortHandler is somebody's wish to cut the connection and goes on its way.
func (h *Hall) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{id: newID(), writer: w}
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.log.Error().Str("req", v.id).Str("err", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("a request panicked")
			h.refuse(v, r, v, hub.Errorf(hub.Unknown, "panic"))
		}()
		next.ServeHTTP(v, r)
	})
}

// counted writes the request's one line in the log and its duration in the metrics.
func (h *Hall) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, start := visitOf(r.Context()), h.now()
		w.Header().Set("X-Request-Id", v.id)
		defer func() { h.account(v, r, h.now().Sub(start)) }()
		next.ServeHTTP(w, r)
		if v.status == 0 && v.err == nil {
			v.status = http.StatusOK // an empty answer: net/http writes 200 after us
		}
	})
}

func (h *Hall) account(v *visit, r *http.Request, took time.Duration) {
	status := v.status
	switch {
	case status == 0 && v.err != nil:
		status = statusGone
	case status == 0:
		status = http.StatusInternalServerError // a panic is on its way out
	}
	h.audit(v, r, status)
	h.seconds.WithLabelValues(methodLabel(r.Method), v.label, strconv.Itoa(status)).Observe(took.Seconds())
	h.logins.observe(r.Method, v.label, status, took)
	h.write(v, r, status, took)
}

// write writes the request's line, if its level is wanted and the budget has one left.
func (h *Hall) write(v *visit, r *http.Request, status int, took time.Duration) {
	at := level(v, status)
	if at < h.log.GetLevel() {
		return
	}
	ok, leftOut := h.budget.spend(h.now())
	if !ok {
		return
	}
	if leftOut > 0 {
		h.log.Warn().Int("count", leftOut).Msg("there were more requests than the log takes in")
	}
	line := h.log.WithLevel(at).Str("req", v.id).Str("method", methodLabel(r.Method)).Str("path", loggable(r.URL)).
		Int("status", status).Dur("took", took)
	if v.who != "" {
		line = line.Str("user", v.who)
	}
	if v.err != nil && status >= http.StatusInternalServerError {
		line = line.AnErr("err", v.err)
	}
	if v.client != "" {
		line = line.Str("client", v.client)
	}
	line.Msg("request")
}

// statusGone is nginx's number for a client that went before its answer came; nobody but the log sees it.
const statusGone = 499

// level keeps what happens all day out of the journal unless somebody asks for it.
func level(v *visit, status int) zerolog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return zerolog.ErrorLevel
	case v.quiet() && status < http.StatusBadRequest:
		return zerolog.DebugLevel
	}
	return zerolog.InfoLevel
}

// loggable is a path without the secrets that some old requests have in it, and not too long.
func loggable(u *url.URL) string {
	const old = "/hub/api/authorizations/"
	if i := strings.Index(u.Path, old); i >= 0 {
		return short(u.Path[:i] + old + "...")
	}
	return short(u.EscapedPath())
}

// short bounds what a stranger can make us write down.
func short(s string) string {
	const most = 256
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// methodLabel bounds the metrics' label: a method is whatever a client says.
func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// durationBuckets are those of JupyterHub's library, in seconds.
var durationBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// durations is JupyterHub's histogram of requests, with patterns in the place of its Python classes.
func durations() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "jupyterhub_request_duration_seconds",
		Help:    "Request duration for all HTTP requests",
		Buckets: durationBuckets,
	}, []string{"method", "handler", "code"})
}

// headed sets the headers that every answer of the hub has; a room may change them. All answers share their values, which nobody
// changes in place: Set and Add put others there.
func (h *Hall) headed(next http.Handler) http.Handler {
	shared := func(value string) []string { return []string{value} }
	api := shared("frame-ancestors 'none'; report-uri " + h.base + "hub/security/csp-report; default-src 'none'")
	page := shared("frame-ancestors 'none'; report-uri " + h.base + "hub/security/csp-report; default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'")
	version, allowed, noSniff := shared(hub.APIVersion), shared("accept, content-type, authorization"), shared("nosniff")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head["X-Content-Type-Options"] = noSniff
		rest := strings.TrimPrefix(r.URL.Path, h.base+"hub/")
		if !strings.HasPrefix(rest, "static/") && rest != "logo" {
			head[versionHeader] = version
			head["Access-Control-Allow-Headers"] = allowed
			head["Content-Security-Policy"] = page
			if (rest == "api" || strings.HasPrefix(rest, "api/")) && rest != consentPath {
				head["Content-Security-Policy"] = api
			}
			if rest == "api" || rest == "api/" { // the version is everybody's
				head.Set("Access-Control-Allow-Origin", "*")
			}
		}
		for name, value := range h.headers {
			head.Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

// consentPath is the one page below /hub/api, where JupyterHub has it: without a page's policy it has neither style nor picture.
const consentPath = "api/oauth2/authorize"

// versionHeader is X-JupyterHub-Version as net/http writes it.
const versionHeader = "X-Jupyterhub-Version"

// drained is how many times the limit a body may be and still be read to its end, and thrown away. Its sender gets to read
// the answer: most clients write first, and one whose connection is cut meanwhile never learns why.
const drained = 16

// bounded lets no body grow beyond the limit. Who may not come in at all is told that first, as JupyterHub does; a body far
// beyond the limit is refused at once.
func (h *Hall) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ContentLength > drained*h.maxBody:
			v := visitOf(r.Context())
			v.api = true
			h.refuse(w, r, v, hub.Errorf(hub.TooLarge, "The request is longer than %d bytes", h.maxBody))
			return
		case r.ContentLength > h.maxBody:
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return // it never came
			}
			r.Body = tooLong{h.maxBody}
		default:
			r.Body = http.MaxBytesReader(w, r.Body, h.maxBody)
		}
		next.ServeHTTP(w, r)
	})
}

// tooLong is a body that was thrown away.
type tooLong struct{ limit int64 }

func (b tooLong) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: b.limit} }

func (tooLong) Close() error { return nil }
