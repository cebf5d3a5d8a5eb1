package pam

import (
	"context"
	"slices"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

const (
	// lines is how many processes behind the door look at accounts together.
	lines = 4
	// lineAge is how long one of them is asked: the door ends a connection after two minutes, whatever is said on it.
	lineAge = time.Minute
	// lineIdle is how long one waits for the next question.
	lineIdle = 3 * time.Second
)

// Checker looks at accounts that are used. It keeps the connection for the next question: many users come in together, and each
// connection is a process behind the door.
type Checker struct {
	path  string
	turns chan struct{} // one for each line in use

	mu   sync.Mutex // guards what follows
	idle []*line    // the last one was used last
	era  int        // which of root's configurations new lines are made under
}

// line is a connection that waits for a question.
type line struct {
	conn  *varlink.Conn
	began time.Time
	era   int
	hang  *time.Timer // hangs up
}

// NewChecker returns a checker behind the door whose socket is at path.
func NewChecker(path string) *Checker { return &Checker{path: path, turns: make(chan struct{}, lines)} }

// Check looks at an account: NotFound where there is none, Forbidden where it may not be used, Unavailable where nothing is known.
func (c *Checker) Check(ctx context.Context, name string) (hub.Account, error) {
	select {
	case c.turns <- struct{}{}:
	case <-ctx.Done():
		return hub.Account{}, context.Cause(ctx)
	}
	defer func() { <-c.turns }()
	l, err := c.take(ctx)
	if err != nil {
		return hub.Account{}, &hub.Error{Kind: hub.Unavailable, Text: away, Err: err}
	}
	a, err := look(ctx, l.conn, "Check", name)
	if kind := hub.KindOf(err); err != nil && kind != hub.NotFound && kind != hub.Forbidden {
		_ = l.conn.Close() // who knows what comes next on it, ignoring
		return hub.Account{}, err
	}
	c.keep(l)
	return a, err
}

// Renew has the next questions put to new processes: one that waits read root's configuration when it began.
func (c *Checker) Renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.era++
}

// take returns the line that was used last, if it is young enough, or a new one.
func (c *Checker) take(ctx context.Context) (*line, error) {
	for {
		l, era := c.last()
		if l == nil {
			conn, err := varlink.Dial(ctx, c.path)
			return &line{conn: conn, began: time.Now(), era: era}, err
		}
		if l.hang.Stop() && l.era == era && time.Since(l.began) < lineAge {
			return l, nil
		}
		_ = l.conn.Close() // it is over either way, ignoring
	}
}

// last takes the line that was used last, if any waits.
func (c *Checker) last() (l *line, era int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.idle); n > 0 {
		l, c.idle = c.idle[n-1], c.idle[:n-1]
	}
	return l, c.era
}

// keep lets a line wait for the next question.
func (c *Checker) keep(l *line) {
	l.hang = time.AfterFunc(lineIdle, func() {
		_ = l.conn.Close() // nobody uses it, ignoring
		c.mu.Lock()
		defer c.mu.Unlock()
		c.idle = slices.DeleteFunc(c.idle, func(o *line) bool { return o == l })
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, l)
}
