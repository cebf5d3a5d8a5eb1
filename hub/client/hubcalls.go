package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	"jupyterhubd/hub"
)

// Version asks for the release of JupyterHub whose API the hub speaks. Nobody has to be known for it.
func (c *Client) Version(ctx context.Context) (string, error) {
	var v Version
	_, err := c.json(ctx, call{method: "GET", path: "/"}, &v)
	return v.Version, err
}

// Info asks what the hub is made of.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var info Info
	_, err := c.json(ctx, call{method: "GET", path: "/info"}, &info)
	return info, err
}

// OpenAPI returns the description of the API, an OpenAPI 3.1 document.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	var doc json.RawMessage
	_, err := c.json(ctx, call{method: "GET", path: "/openapi.json"}, &doc)
	return doc, err
}

// Identity asks who we are, and with which scopes.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	var id Identity
	_, err := c.json(ctx, call{method: "GET", path: "/user"}, &id)
	return id, err
}

// Routes lists the proxy's routes by their prefix.
func (c *Client) Routes(ctx context.Context) (map[string]ProxyRoute, error) {
	var m map[string]ProxyRoute
	_, err := c.json(ctx, call{method: "GET", path: "/proxy"}, &m)
	return m, err
}

// Resync compares the proxy's routes with what runs, and mends them.
func (c *Client) Resync(ctx context.Context) error {
	_, err := c.json(ctx, call{method: "POST", path: "/proxy"}, nil)
	return err
}

// Roles lists the roles.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	var list []Role
	_, err := c.json(ctx, call{method: "GET", path: "/roles"}, &list)
	return list, err
}

// Shutdown asks the hub to end.
func (c *Client) Shutdown(ctx context.Context, s Shutdown) error {
	_, err := c.json(ctx, call{method: "POST", path: "/shutdown", body: s}, nil)
	return err
}

// Reload asks the hub to read its configuration again; with check, only to say what that would change. Mistakes are an
// error of kind Invalid with one mistake a line. The proxy's own socket answers the same call.
func (c *Client) Reload(ctx context.Context, check bool) (ReloadReply, error) {
	var r ReloadReply
	q := url.Values{}
	if check {
		q.Set("check", "1")
	}
	_, err := c.json(ctx, call{method: "POST", path: "/reload", query: q, body: ReloadRequest{Check: check}}, &r)
	return r, err
}

// Usage asks what each running server consumes now, by "user/server".
func (c *Client) Usage(ctx context.Context) (map[string]ServerState, error) {
	var m map[string]ServerState
	_, err := c.json(ctx, call{method: "GET", path: "/usage"}, &m)
	return m, err
}

// Backup streams a consistent copy of the hub's database, taken while it runs, and returns its length. A copy that breaks
// off is an error.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	resp, err := c.do(ctx, call{method: "GET", path: "/backup"})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, resp.Body)
	switch {
	case err != nil:
		return n, fmt.Errorf("copy the database: %w", err)
	case resp.ContentLength >= 0 && n != resp.ContentLength:
		return n, hub.Errorf(hub.Unavailable, "the hub broke off after %d of %d bytes", n, resp.ContentLength)
	case n == 0:
		return n, hub.Errorf(hub.Unavailable, "the hub sent an empty copy of its database")
	}
	return n, nil
}

// CheckAccounts has the accounts of everybody whose servers run looked at again (ours).
func (c *Client) CheckAccounts(ctx context.Context) (AccountsReply, error) {
	var r AccountsReply
	_, err := c.json(ctx, call{method: "POST", path: "/accounts/check"}, &r)
	return r, err
}
