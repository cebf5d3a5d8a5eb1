package varlink

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// Conn is the calling side of a connection. It may be shared; calls take turns.
type Conn struct {
	net    net.Conn
	reader *bufio.Reader
	turn   sync.Mutex // held while a call is under way
}

// NewConn makes a caller out of a connection.
func NewConn(c net.Conn) *Conn {
	return &Conn{net: c, reader: bufio.NewReader(c)}
}

// Dial connects to the Unix socket at path. A door that is away is of kind Unavailable.
func Dial(ctx context.Context, path string) (*Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, &hub.Error{Kind: hub.Unavailable, Err: fmt.Errorf("connect to %s: %w", path, err)}
	}
	return NewConn(c), nil
}

// Peer returns who answers at the other end.
func (c *Conn) Peer() Cred { return PeerOf(c.net) }

// Close ends the connection; a call under way fails.
func (c *Conn) Close() error { return c.net.Close() }

// Call calls a method by its qualified name and decodes the one reply into out, which may be nil. When ctx ends first, the
// connection is of no more use.
func (c *Conn) Call(ctx context.Context, method string, in, out any) error {
	got := false
	err := c.exchange(ctx, method, in, false, func(parameters json.RawMessage) error {
		got = true
		if out == nil || len(parameters) == 0 {
			return nil
		}
		return json.Unmarshal(parameters, out)
	})
	if err == nil && !got {
		return hub.Errorf(hub.Unavailable, "%s was not answered", method)
	}
	return err
}

// Stream calls a method with "more" and hands each reply to each, until the last one has been seen, each fails, or ctx
// ends.
func (c *Conn) Stream(ctx context.Context, method string, in any, each func(json.RawMessage) error) error {
	return c.exchange(ctx, method, in, true, each)
}

func (c *Conn) exchange(ctx context.Context, method string, in any, more bool, each func(json.RawMessage) error) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := call{Method: method, More: more}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode parameters of %s: %w", method, err)
		}
		request.Parameters = b
	}
	if err := writeMessage(c.net, request, MaxRequest); err != nil {
		if hub.KindOf(err) == hub.TooLarge {
			return err
		}
		return c.broken(ctx, method, err)
	}
	for {
		message, err := readMessage(c.reader, MaxMessage)
		if err != nil {
			return c.broken(ctx, method, err)
		}
		var r reply
		if err := json.Unmarshal(message, &r); err != nil {
			return c.broken(ctx, method, err)
		}
		if r.Error != "" {
			return fromReply(r)
		}
		if err := each(r.Parameters); err != nil {
			return err
		}
		if !r.Continues {
			return nil
		}
	}
}

// broken says why the wire failed: the caller's own context before all else.
func (c *Conn) broken(ctx context.Context, method string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &hub.Error{Kind: hub.Unavailable, Err: fmt.Errorf("call %s: %w", method, err)}
}
