package client

import (
	"context"
	"net/url"

	"jupyterhubd/hub"
)

// SharesOf lists what is shared of all servers of a user.
func (c *Client) SharesOf(ctx context.Context, owner string) ([]Share, error) {
	return allOf[Share](ctx, c, "/shares/"+url.PathEscape(owner))
}

// Shares lists what is shared of a server.
func (c *Client) Shares(ctx context.Context, ref hub.ServerRef) ([]Share, error) {
	return allOf[Share](ctx, c, "/shares"+ofServer(ref))
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

// UnshareAll takes a server back from everybody. Codes for it stay good.
func (c *Client) UnshareAll(ctx context.Context, ref hub.ServerRef) error {
	_, err := c.json(ctx, call{method: "DELETE", path: "/shares" + ofServer(ref)}, nil)
	return err
}

// SharedWith lists what others share with a user, by themselves and through groups.
func (c *Client) SharedWith(ctx context.Context, user string) ([]Share, error) {
	return allOf[Share](ctx, c, userPath(user)+"/shared")
}

// SharedServer returns what is shared of a server with a user by name.
func (c *Client) SharedServer(ctx context.Context, user string, ref hub.ServerRef) (Share, error) {
	var s Share
	_, err := c.json(ctx, call{method: "GET", path: userPath(user) + "/shared" + ofServer(ref)}, &s)
	return s, err
}

// LeaveShare gives up what is shared of a server with a user by name.
func (c *Client) LeaveShare(ctx context.Context, user string, ref hub.ServerRef) error {
	_, err := c.json(ctx, call{method: "DELETE", path: userPath(user) + "/shared" + ofServer(ref)}, nil)
	return err
}

// SharedWithGroup lists what is shared with a group.
func (c *Client) SharedWithGroup(ctx context.Context, group string) ([]Share, error) {
	return allOf[Share](ctx, c, groupPath(group)+"/shared")
}

// SharedServerOfGroup returns what is shared of a server with a group.
func (c *Client) SharedServerOfGroup(ctx context.Context, group string, ref hub.ServerRef) (Share, error) {
	var s Share
	_, err := c.json(ctx, call{method: "GET", path: groupPath(group) + "/shared" + ofServer(ref)}, &s)
	return s, err
}

// LeaveShareOfGroup gives up what is shared of a server with a group.
func (c *Client) LeaveShareOfGroup(ctx context.Context, group string, ref hub.ServerRef) error {
	_, err := c.json(ctx, call{method: "DELETE", path: groupPath(group) + "/shared" + ofServer(ref)}, nil)
	return err
}

// ShareCodesOf lists the codes for all servers of a user.
func (c *Client) ShareCodesOf(ctx context.Context, owner string) ([]ShareCode, error) {
	return allOf[ShareCode](ctx, c, "/share-codes/"+url.PathEscape(owner))
}

// ShareCodes lists the codes for a server.
func (c *Client) ShareCodes(ctx context.Context, ref hub.ServerRef) ([]ShareCode, error) {
	return allOf[ShareCode](ctx, c, "/share-codes"+ofServer(ref))
}

// NewShareCode makes a code for a server. Its value is in the reply and can never be read again.
func (c *Client) NewShareCode(ctx context.Context, ref hub.ServerRef, r ShareCodeRequest) (ShareCode, error) {
	var s ShareCode
	_, err := c.json(ctx, call{method: "POST", path: "/share-codes" + ofServer(ref), body: r}, &s)
	return s, err
}

// DeleteShareCode revokes a code by its id ("sc_5"). Who exchanged it keeps what they got.
func (c *Client) DeleteShareCode(ctx context.Context, ref hub.ServerRef, id string) error {
	_, err := c.json(ctx, call{method: "DELETE", path: "/share-codes" + ofServer(ref), query: url.Values{"id": {id}}}, nil)
	return err
}

// DeleteShareCodes revokes all codes for a server.
func (c *Client) DeleteShareCodes(ctx context.Context, ref hub.ServerRef) error {
	_, err := c.json(ctx, call{method: "DELETE", path: "/share-codes" + ofServer(ref)}, nil)
	return err
}

func ofServer(ref hub.ServerRef) string {
	return "/" + url.PathEscape(ref.User) + "/" + url.PathEscape(ref.Server)
}
