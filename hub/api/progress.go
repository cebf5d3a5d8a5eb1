package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

const (
	keepAlive    = 8 * time.Second  // between blank lines, so that proxies see the stream live
	writeTime    = 30 * time.Second // for a watcher to take what it is sent
	mostWatchers = 32               // streams of one owner at once: a tab each, and some
)

// progress answers GET …/progress: a stream of events (the WHATWG's event-stream, without names and ids) that ends with
// one that says ready or failed.
func (room *Room) progress(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	if err := room.known(ref.User); err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	who := a.Owner
	if !room.watchers.enter(who) {
		return &hub.Error{Kind: hub.TooMany, Text: "Too many progress streams are open", RetryAfter: keepAlive}
	}
	defer room.watchers.leave(who)
	events, err := room.Workshop.Watch(r.Context(), ref)
	if err != nil {
		return err
	}
	s, err := newStream(w)
	if err != nil {
		return err
	}
	return s.follow(events, func(c *hub.Cause) *hub.Cause { return readerOf(a).cause(ref, c) })
}

// stream writes an event-stream.
type stream struct {
	w  io.Writer
	rc *http.ResponseController
}

// newStream begins with a blank line, so that the client knows that it is heard.
func newStream(w http.ResponseWriter) (*stream, error) {
	s := &stream{w, http.NewResponseController(w)}
	// The request was read in time; the stream lasts as long as the start does.
	if err := s.rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return s, s.send("\n\n")
}

// follow writes events until the last one, and blank lines while nothing happens.
func (s *stream) follow(events <-chan hub.Event, show func(*hub.Cause) *hub.Cause) error {
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		select {
		case e, more := <-events:
			if !more {
				return nil
			}
			e.Cause = show(e.Cause)
			b, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if err := s.send(fmt.Sprintf("data: %s\n\n", b)); err != nil {
				return err
			}
		case <-beat.C:
			if err := s.send("\n\n"); err != nil {
				return err
			}
		}
	}
}

func (s *stream) send(text string) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.rc.Flush()
}

// watchers counts open streams by owner, so that nobody can hold the hub open a thousand times.
type watchers struct {
	mu   sync.Mutex // guards open
	open map[hub.Owner]int
}

func (c *watchers) enter(o hub.Owner) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[o] >= mostWatchers {
		return false
	}
	c.open[o]++
	return true
}

func (c *watchers) leave(o hub.Owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[o]--; c.open[o] <= 0 {
		delete(c.open, o)
	}
}
