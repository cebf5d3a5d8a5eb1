package client

import (
	"context"
	"net/url"
)

// Services lists the services by name.
func (c *Client) Services(ctx context.Context) (map[string]Service, error) {
	var m map[string]Service
	_, err := c.json(ctx, call{method: "GET", path: "/services"}, &m)
	return m, err
}

// Service returns one service.
func (c *Client) Service(ctx context.Context, name string) (Service, error) {
	var s Service
	_, err := c.json(ctx, call{method: "GET", path: servicePath(name)}, &s)
	return s, err
}

// CreateService adds a service, which lasts until it is deleted.
func (c *Client) CreateService(ctx context.Context, name string, r ServiceRequest) (Service, error) {
	var s Service
	_, err := c.json(ctx, call{method: "POST", path: servicePath(name), body: r}, &s)
	return s, err
}

// DeleteService forgets a service that the configuration does not name, with its tokens and those it got from its visitors.
func (c *Client) DeleteService(ctx context.Context, name string) error {
	_, err := c.json(ctx, call{method: "DELETE", path: servicePath(name)}, nil)
	return err
}

func servicePath(name string) string { return "/services/" + url.PathEscape(name) }
