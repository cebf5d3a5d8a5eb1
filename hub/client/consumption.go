package client

import (
	"context"
	"net/url"

	"jupyterhubd/hub"
)

// Consumptions is the reply of GET /usage/days and GET /users/U/usage, which are ours.
type Consumptions struct {
	Days []hub.Consumption `json:"days"` // by user, then day
}

// UsageDays returns what servers used, by user and day: of one user, or of all if user is empty, from the first day to the
// last, both included. Empty days are no bound.
func (c *Client) UsageDays(ctx context.Context, user, first, last string) ([]hub.Consumption, error) {
	q := url.Values{}
	if first != "" {
		q.Set("first", first)
	}
	if last != "" {
		q.Set("last", last)
	}
	path := "/usage/days"
	if user != "" {
		path = userPath(user) + "/usage"
	}
	var reply Consumptions
	_, err := c.json(ctx, call{method: "GET", path: path, query: q}, &reply)
	return reply.Days, err
}
