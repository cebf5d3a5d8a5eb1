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
	last := e.Ready || e.Failed
	if p.done || !last && len(p.events) >= maxEvents {
		return
	}
	if !last {
		e.Deadline = p.deadline
	}
	p.events = append(p.events, e)
	p.done = last
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

// next returns event number i, or what to wait for.
func (p *progress) next(i int) (hub.Event, bool, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i < len(p.events) {
		return p.events[i], true, nil
	}
	return hub.Event{}, false, p.more
}

// watch sends the history from its beginning and closes the channel after the last event, or when ctx ends.
func (p *progress) watch(ctx context.Context) <-chan hub.Event {
	out := make(chan hub.Event)
	go func() {
		defer close(out)
		for i := 0; ; {
			e, ok, more := p.next(i)
			if !ok {
				select {
				case <-more:
					continue
				case <-ctx.Done():
					return
				}
			}
			select {
			case out <- e:
				i++
			case <-ctx.Done():
				return
			}
			if e.Ready || e.Failed {
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

// Watch sends the progress of a start from its beginning: first "Server requested", last an event with Ready or Failed.
// For a server that is ready, or whose last start failed, that last event is all. A server with nothing to tell is an
// error. The channel is closed after the last event or when ctx ends.
func (m *Manager) Watch(ctx context.Context, ref hub.ServerRef) (<-chan hub.Event, error) {
	live, p, err := m.look(ref)
	switch {
	case err != nil:
		return nil, err
	case p != nil && live.State.Pending() == "spawn":
		return p.watch(ctx), nil
	case live.State.Ready():
		return only(ctx, readyEvent(live.URL)), nil
	case live.State == hub.Failed:
		return only(ctx, failedEvent(live.Failure)), nil
	case live.State == hub.Stopping:
		return nil, hub.Errorf(hub.Invalid, "%s is not starting, it is being stopped", ref)
	}
	return nil, hub.Errorf(hub.NotFound, "%s is not starting", ref)
}

// only is the stream of one last event.
func only(ctx context.Context, e hub.Event) <-chan hub.Event {
	p := newProgress()
	p.add(e)
	return p.watch(ctx)
}
