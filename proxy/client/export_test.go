package client

import (
	"context"
	"strings"
)

// Raw makes a call that the hub has no use for.
func Raw(c *Client, ctx context.Context, method, path string, in any) error {
	return c.call(ctx, method, path, in, nil)
}

// WithToken returns a client of the same proxy with another token.
func WithToken(c *Client, token string) *Client {
	other := *c
	other.token = token
	return &other
}

// OverSocket reports whether the proxy knows its peer and needs no token.
func OverSocket(c *Client) bool { return strings.HasPrefix(c.base, "http://jupyterhub-proxy") }
