package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub"
)

// Server returns one server.
func (c *Client) Server(ctx context.Context, ref hub.ServerRef) (Server, error) {
	var s Server
	_, err := c.json(ctx, call{method: "GET", path: serverPath(ref)}, &s)
	return s, err
}

// CreateServer makes a named server without starting it.
func (c *Client) CreateServer(ctx context.Context, ref hub.ServerRef, r StartRequest) (Server, error) {
	var s Server
	_, err := c.json(ctx, call{method: "PUT", path: serverPath(ref), body: r}, &s)
	return s, err
}

// ChangeServer changes a server that is stopped: its name, its display name, its options.
func (c *Client) ChangeServer(ctx context.Context, ref hub.ServerRef, r ServerChange) (Server, error) {
	var s Server
	_, err := c.json(ctx, call{method: "PATCH", path: serverPath(ref), body: r}, &s)
	return s, err
}

// StartServer starts a server and reports whether it is ready; if not, it is on its way, and Progress tells of it.
func (c *Client) StartServer(ctx context.Context, ref hub.ServerRef, r StartRequest) (ready bool, err error) {
	status, err := c.json(ctx, call{method: "POST", path: serverPath(ref), body: r}, nil)
	return status == http.StatusCreated, err
}

// StopServer stops a server and reports whether it has stopped; if not, it is on its way. Remove forgets a named server
// once it has stopped.
func (c *Client) StopServer(ctx context.Context, ref hub.ServerRef, remove bool) (stopped bool, err error) {
	r := call{method: "DELETE", path: serverPath(ref)}
	if remove {
		r.body = StopRequest{Remove: true}
	}
	status, err := c.json(ctx, r, nil)
	return status == http.StatusNoContent, err
}

// RestartServer stops a server that runs and starts it again with the same options. It reports whether it is ready, as
// StartServer does.
func (c *Client) RestartServer(ctx context.Context, ref hub.ServerRef) (ready bool, err error) {
	status, err := c.json(ctx, call{method: "POST", path: serverPath(ref) + "/restart"}, nil)
	return status == http.StatusCreated, err
}

// LimitServer changes the limits of a server that runs, and returns those that hold now.
func (c *Client) LimitServer(ctx context.Context, ref hub.ServerRef, r LimitRequest) (hub.Limits, error) {
	var reply struct{ Limits hub.Limits }
	_, err := c.json(ctx, call{method: "POST", path: serverPath(ref) + "/limits", body: r}, &reply)
	return reply.Limits, err
}

// Activity tells the hub when a user or its servers were last active.
func (c *Client) Activity(ctx context.Context, user string, a Activity) error {
	_, err := c.json(ctx, call{method: "POST", path: userPath(user) + "/activity", body: a}, nil)
	return err
}

// Progress calls each for every event of a start until the last one, which has Ready or Failed set.
func (c *Client) Progress(ctx context.Context, ref hub.ServerRef, each func(hub.Event) error) error {
	resp, err := c.do(ctx, call{method: "GET", path: serverPath(ref) + "/progress", accept: "text/event-stream"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxError)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // a blank line, which keeps the connection alive
		}
		var e hub.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("decode an event of progress: %w", err)
		}
		if err := each(e); err != nil {
			return err
		}
		if e.Last() {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return c.unreached(ctx, err)
	}
	return hub.Errorf(hub.Unavailable, "the hub broke off before the start had ended")
}

func serverPath(ref hub.ServerRef) string {
	if ref.Server == "" {
		return userPath(ref.User) + "/server"
	}
	return userPath(ref.User) + "/servers/" + url.PathEscape(ref.Server)
}
