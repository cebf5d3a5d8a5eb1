package client

import (
	"context"
	"net/url"
)

// EachGroup calls f for every group, page by page.
func (c *Client) EachGroup(ctx context.Context, f func(Group) error) error {
	return eachOf(ctx, c, "/groups", f)
}

// Group returns one group.
func (c *Client) Group(ctx context.Context, name string) (Group, error) {
	var g Group
	_, err := c.json(ctx, call{method: "GET", path: groupPath(name)}, &g)
	return g, err
}

// CreateGroup adds a group.
func (c *Client) CreateGroup(ctx context.Context, name string, r GroupRequest) (Group, error) {
	var g Group
	_, err := c.json(ctx, call{method: "POST", path: groupPath(name), body: r}, &g)
	return g, err
}

// CreateGroups adds several groups, or none.
func (c *Client) CreateGroups(ctx context.Context, r CreateGroups) ([]Group, error) {
	var list []Group
	_, err := c.json(ctx, call{method: "POST", path: "/groups", body: r}, &list)
	return list, err
}

// DeleteGroup forgets a group; its members stay.
func (c *Client) DeleteGroup(ctx context.Context, name string) error {
	_, err := c.json(ctx, call{method: "DELETE", path: groupPath(name)}, nil)
	return err
}

// AddMembers puts users into a group.
func (c *Client) AddMembers(ctx context.Context, group string, users ...string) (Group, error) {
	var g Group
	_, err := c.json(ctx, call{method: "POST", path: groupPath(group) + "/users", body: Members{users}}, &g)
	return g, err
}

// RemoveMembers takes users out of a group.
func (c *Client) RemoveMembers(ctx context.Context, group string, users ...string) (Group, error) {
	var g Group
	_, err := c.json(ctx, call{method: "DELETE", path: groupPath(group) + "/users", body: Members{users}}, &g)
	return g, err
}

// SetProperties replaces a group's properties.
func (c *Client) SetProperties(ctx context.Context, group string, properties map[string]any) (Group, error) {
	var g Group
	_, err := c.json(ctx, call{method: "PUT", path: groupPath(group) + "/properties", body: properties}, &g)
	return g, err
}

func groupPath(name string) string { return "/groups/" + url.PathEscape(name) }
