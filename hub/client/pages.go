package client

import (
	"context"
	"net/url"
	"strconv"
)

// eachOf calls f for every item of a list in pages, by offset.
func eachOf[T any](ctx context.Context, c *Client, path string, f func(T) error) error {
	q := url.Values{"offset": {"0"}}
	for {
		var p Page[[]T]
		if _, err := c.json(ctx, call{method: "GET", path: path, query: q, accept: PaginationType}, &p); err != nil {
			return err
		}
		for _, item := range p.Items {
			if err := f(item); err != nil {
				return err
			}
		}
		if p.Pagination.Next == nil {
			return nil
		}
		q.Set("offset", strconv.Itoa(p.Pagination.Next.Offset))
		q.Set("limit", strconv.Itoa(p.Pagination.Next.Limit))
	}
}

// allOf returns every item of a list in pages; never nil, so that it is a list in JSON as well.
func allOf[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	list := []T{}
	err := eachOf(ctx, c, path, func(item T) error {
		list = append(list, item)
		return nil
	})
	return list, err
}
