package httpd

import (
	"errors"
	"net/http"

	"jupyterhubd/hub"
)

// statuses is the one place where a kind of error becomes an HTTP status. What is not in it is 500.
var statuses = map[hub.Kind]int{
	hub.Unknown:         http.StatusInternalServerError,
	hub.Invalid:         http.StatusBadRequest,
	hub.Unauthenticated: http.StatusForbidden, // JupyterHub never says 401: its clients take it for a broken hub
	hub.Forbidden:       http.StatusForbidden,
	hub.NotFound:        http.StatusNotFound,
	hub.Conflict:        http.StatusConflict,
	hub.TooLarge:        http.StatusRequestEntityTooLarge,
	hub.TooMany:         http.StatusTooManyRequests,
	hub.NotRunning:      http.StatusFailedDependency,
	hub.Unavailable:     http.StatusServiceUnavailable,
	hub.Expired:         http.StatusForbidden,
}

// statusOf returns the status of an error.
func statusOf(err error) int {
	if errors.Is(err, errMethod) {
		return http.StatusMethodNotAllowed
	}
	if tooLarge(err) {
		return http.StatusRequestEntityTooLarge
	}
	if s, ok := statuses[hub.KindOf(err)]; ok {
		return s
	}
	return http.StatusInternalServerError
}
