package client

import (
	"context"
	"net/url"

	"jupyterhubd/hub"
)

// Shares lists what is shared of a server.
func (c *Client) Shares(ctx context.Context, ref hub.ServerRef) ([]Share, error) {
	var p Page[[]Share]
	_, err := c.json(ctx, call{method: "GET", path: "/shares" + ofServer(ref)}, &p)
	return p.Items, err
}

// SharedWith lists what others share with a user, by themselves and through groups.
func (c *Client) SharedWith(ctx context.Context, user string) ([]Share, error) {
	var p Page[[]Share]
	_, err := c.json(ctx, call{method: "GET", path: userPath(user) + "/shared"}, &p)
	return p.Items, err
}

// Share shares a server.
func (c *Client) Share(ctx context.Context, ref hub.ServerRef, r ShareRequest) (Share, error) {
	var s Share
	_, err := c.json(ctx, call{method: "POST", path: "/shares" + ofServer(ref), body: r}, &s)
	return s, err
}

// Unshare takes back what is shared with somebody: the scopes that are named, or everything.
func (c *Client) Unshare(ctx context.Context, ref hub.ServerRef, r ShareRequest) error {
	_, err := c.json(ctx, call{method: "PATCH", path: "/shares" + ofServer(ref), body: r}, nil)
	return err
}

// ShareCodes lists the codes for a server.
func (c *Client) ShareCodes(ctx context.Context, ref hub.ServerRef) ([]ShareCode, error) {
	var p Page[[]ShareCode]
	_, err := c.json(ctx, call{method: "GET", path: "/share-codes" + ofServer(ref)}, &p)
	return p.Items, err
}

// NewShareCode makes a code for a server. Its value is in the reply and can never be read again.
func (c *Client) NewShareCode(ctx context.Context, ref hub.ServerRef, r ShareCodeRequest) (ShareCode, error) {
	var s ShareCode
	_, err := c.json(ctx, call{method: "POST", path: "/share-codes" + ofServer(ref), body: r}, &s)
	return s, err
}

// DeleteShareCode revokes a code by its id ("sc_5").
func (c *Client) DeleteShareCode(ctx context.Context, ref hub.ServerRef, id string) error {
	_, err := c.json(ctx, call{method: "DELETE", path: "/share-codes" + ofServer(ref), query: url.Values{"id": {id}}}, nil)
	return err
}

func ofServer(ref hub.ServerRef) string {
	return "/" + url.PathEscape(ref.User) + "/" + url.PathEscape(ref.Server)
}
