package proxy

import (
	"net/http"

	"github.com/rs/zerolog"
)

// Messages about requests, without their queries. A program that stands in for configurable-http-proxy tells of each call of the API, and of each
// request that it has to answer itself for want of a route or a target; under our own hub, whose log has the calls already, only
// those who debug hear of them.
const (
	CallMessage   = "API call"
	FailedMessage = "request failed"
)

// levelOf is how loud configurable-http-proxy is about an answer.
func levelOf(status int) zerolog.Level {
	switch {
	case status >= 500:
		return zerolog.ErrorLevel
	case status >= 400:
		return zerolog.WarnLevel
	}
	return zerolog.InfoLevel
}

// called counts and tells of a call of the API.
func (p *Proxy) called(r *http.Request, answer *statusWriter) {
	p.metrics.called(answer.status)
	level := zerolog.DebugLevel
	if p.options.Manners.StandIn {
		level = levelOf(answer.status)
	}
	path, _ := splitTarget(r.RequestURI)
	p.options.Log.WithLevel(level).Int("status", answer.status).Str("method", r.Method).Str("path", path).Err(answer.refusal).Msg(CallMessage)
}

// failed tells of a request that found no route, or no upstream.
func (p *Proxy) failed(ps *passage, what problem) {
	if !p.options.Manners.StandIn || what.plain || what.Status < http.StatusInternalServerError && what.Status != http.StatusNotFound {
		return
	}
	path, _ := splitTarget(ps.in.RequestURI)
	p.options.Log.Error().Int("status", what.Status).Str("method", ps.in.Method).Str("path", path).Err(ps.failure).Msg(FailedMessage)
}

// passes tells those who debug where a request goes.
func (p *Proxy) passes(ps *passage) {
	event := p.options.Log.Debug()
	if !event.Enabled() {
		return
	}
	event = event.Str("from", ps.place.raw).Str("to", ps.route.spec)
	if wantsWebSocket(ps.in) {
		event.Msg("PROXY WS")
		return
	}
	event.Msg("PROXY WEB")
}
