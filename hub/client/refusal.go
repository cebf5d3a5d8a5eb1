package client

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// kinds is the hub's table from kinds to statuses, read backwards.
var kinds = map[int]hub.Kind{
	http.StatusBadRequest:            hub.Invalid,
	http.StatusUnauthorized:          hub.Unauthenticated,
	http.StatusForbidden:             hub.Forbidden,
	http.StatusNotFound:              hub.NotFound,
	http.StatusMethodNotAllowed:      hub.NotFound,
	http.StatusConflict:              hub.Conflict,
	http.StatusRequestEntityTooLarge: hub.TooLarge,
	http.StatusFailedDependency:      hub.NotRunning,
	http.StatusTooManyRequests:       hub.TooMany,
	http.StatusBadGateway:            hub.Unavailable,
	http.StatusServiceUnavailable:    hub.Unavailable,
	http.StatusGatewayTimeout:        hub.Unavailable,
}

// refusal turns a reply of 300 or more into an error with the hub's own sentence.
func refusal(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	var body ErrorBody
	if err != nil || json.Unmarshal(b, &body) != nil || body.Message == "" {
		body.Message = "the hub answered " + strings.ToLower(http.StatusText(resp.StatusCode)) + " (" + strconv.Itoa(resp.StatusCode) + ")"
	}
	e := &hub.Error{Kind: kinds[resp.StatusCode], Text: body.Message, Cause: body.Cause}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	return e
}
