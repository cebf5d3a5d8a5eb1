package spawner

import (
	"context"
	"fmt"
	"html"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// maxEvents bounds the history of one start. What comes after it is left out, except the last event.
const maxEvents = 200

// progress is the history of one start. Each watcher reads it at its own pace, so a slow one keeps nobody waiting and a
// late one misses nothing.
type progress struct {
	mu       sync.Mutex // guards the rest
	events   []hub.Event
	more     chan struct{} // closed when there are more events, then replaced
	done     bool
	deadline time.Time // of the start; zero while it waits for its turn
}

func newProgress() *progress {
	return &progress{more: make(chan struct{})}
}

// add appends an event. After the last one, and in a history that is full, nothing more is told.
func (p *progress) add(e hub.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ending := e.Ready || e.Failed
	if p.done || !ending && len(p.events) >= maxEvents {
		return
	}
	if !ending {
		e.Deadline = p.deadline
	}
	p.events = append(p.events, e)
	p.done = e.Last()
	p.wake()
}

// finish says that nothing more will be told.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.wake()
}

func (p *progress) wake() {
	close(p.more)
	p.more = make(chan struct{})
}

// until sets when the start will be given up; the events from now on say so.
func (p *progress) until(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = deadline
}

func (p *progress) step(percent int, format string, args ...any) {
	p.add(hub.Event{Progress: percent, Message: fmt.Sprintf(format, args...)})
}

// next waits for event number i. It reports false when there is none any more, or ctx ends.
func (p *progress) next(ctx context.Context, i int) (hub.Event, bool) {
	for {
		p.mu.Lock()
		events, done, more := p.events, p.done, p.more
		p.mu.Unlock()
		if i < len(events) {
			return events[i], true
		}
		if done {
			return hub.Event{}, false
		}
		select {
		case <-more:
		case <-ctx.Done():
			return hub.Event{}, false
		}
	}
}

// watch sends the history from its beginning and closes the channel after the last event, or when ctx ends.
func (p *progress) watch(ctx context.Context) <-chan hub.Event { return p.watchFrom(ctx, 0) }

// watchEnd is watch from the event on by which a start failed.
func (p *progress) watchEnd(ctx context.Context) <-chan hub.Event {
	p.mu.Lock()
	last := max(0, len(p.events)-1)
	p.mu.Unlock()
	return p.watchFrom(ctx, last)
}

func (p *progress) watchFrom(ctx context.Context, i int) <-chan hub.Event {
	out := make(chan hub.Event)
	go func() {
		defer close(out)
		for ; ; i++ {
			e, more := p.next(ctx, i)
			if !more {
				return
			}
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// readyEvent and failedEvent are the two last events, in JupyterHub's words.
func readyEvent(url string) hub.Event {
	u := html.EscapeString(url)
	return hub.Event{
		Progress: 100, Ready: true, URL: url, Message: "Server ready at " + url,
		HTMLMessage: fmt.Sprintf(`Server ready at <a href="%s">%s</a>`, u, u),
	}
}

func failedEvent(cause *hub.Cause) hub.Event {
	if cause == nil {
		return hub.Event{Progress: 100, Failed: true, Message: "Spawn cancelled"}
	}
	return hub.Event{Progress: 100, Failed: true, Message: "Spawn failed: " + cause.Message, Cause: cause}
}

// Watch sends the progress of a start from its beginning: first "Server requested", last an event with Ready or Failed, and
// that again where its cause was partial. For a server that is ready, or whose last start failed, the end is all. A server with nothing to tell is an
// error. The channel is closed after the last event or when ctx ends.
func (m *Manager) Watch(ctx context.Context, ref hub.ServerRef) (<-chan hub.Event, error) {
	live, p, err := m.look(ref)
	switch {
	case err != nil:
		return nil, err
	case p != nil && live.State.Pending() == "spawn":
		return p.watch(ctx), nil
	case live.State.Ready():
		return only(readyEvent(live.URL)).watch(ctx), nil
	case live.State == hub.Failed:
		return m.lastWords(ref, live.Failure).watchEnd(ctx), nil
	case live.State == hub.Stopping:
		return nil, hub.Errorf(hub.Invalid, "%s is not starting, it is being stopped", ref)
	}
	return nil, hub.Errorf(hub.NotFound, "%s is not starting", ref)
}

// lastWords is the history of a start that failed, as long as not all is told, and then its end alone.
func (m *Manager) lastWords(ref hub.ServerRef, cause *hub.Cause) *progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rests[ref]; r != nil {
		return r.progress
	}
	p := only(failedEvent(cause))
	p.finish()
	return p
}

// orOnly returns a history that goes on: this one, or, where it has ended, a new one that begins with the event.
func (p *progress) orOnly(e hub.Event) *progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return only(e)
	}
	return p
}

// only is a history of one event.
func only(e hub.Event) *progress {
	p := newProgress()
	p.add(e)
	return p
}
