package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub/client"
)

func writeJSON(w http.ResponseWriter, status int, body any) error {
	page := pages.Get().(*[]byte)
	defer pages.Put(page)
	b, err := encode((*page)[:0], body)
	if err != nil {
		return fmt.Errorf("encode a reply: %w", err)
	}
	if cap(b) <= mostKept {
		*page = b
	}
	if c, ok := w.(conditional); ok && status == http.StatusOK && c.unchanged(b) {
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, err = w.Write(b)
	return err
}

// pages are buffers for replies. One that a great reply made grow is not kept.
var pages = sync.Pool{New: func() any { return new([]byte) }}

const mostKept = 1 << 20 // bytes

func encode(b []byte, body any) ([]byte, error) {
	if model, ok := body.(client.Appender); ok {
		return model.AppendJSON(b)
	}
	raw, err := json.Marshal(body)
	return append(b, raw...), err
}

// nothing answers 204, which has neither body nor type.
func nothing(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// blank answers with a status and no body; starts and stops say so in plain text, as JupyterHub does.
func blank(w http.ResponseWriter, status int, contentType string) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
	return nil
}

// escape writes a name into a path as JupyterHub does: RFC 3986's unreserved characters and "@" stay as they are.
func escape(name string) string {
	return strings.NewReplacer("+", "%20", "%40", "@").Replace(url.QueryEscape(name))
}

// pathOf joins escaped names to the path of an endpoint: pathOf("users", "alice", "server").
func (room *Room) pathOf(parts ...string) string {
	path := room.BaseURL + "hub/api"
	for _, p := range parts {
		path += "/" + escape(p)
	}
	return path
}

// zero times are null on the wire and sort before all others.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// notAllowed answers 405 where the path is there and the method has no meaning for what it names.
func notAllowed(w http.ResponseWriter, text string) error {
	return writeJSON(w, http.StatusMethodNotAllowed, client.ErrorBody{Status: http.StatusMethodNotAllowed, Message: text})
}
