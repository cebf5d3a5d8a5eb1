package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// UserQuery says which users to list.
type UserQuery struct {
	State          string // "", active, ready, inactive
	NameFilter     string // part of the name, in any case
	Sort           string // id, name, last_activity, with - for descending
	IncludeStopped bool   // show stopped servers as well
	Offset, Limit  int    // Limit 0: the hub's own
}

func (q UserQuery) values() url.Values {
	v := url.Values{}
	for key, value := range map[string]string{"state": q.State, "name_filter": q.NameFilter, "sort": q.Sort} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.IncludeStopped {
		v.Set("include_stopped_servers", "1")
	}
	if q.Offset > 0 {
		v.Set("offset", strconv.Itoa(q.Offset))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// EachUser calls f for every user, page by page. The pages are no snapshot: somebody may be missed or come twice when
// users are added or removed meanwhile.
func (c *Client) EachUser(ctx context.Context, q UserQuery, f func(User) error) error {
	page, err := c.UsersPage(ctx, q)
	for {
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			if err := f(u); err != nil {
				return err
			}
		}
		if page.Pagination.Next == nil {
			return nil
		}
		page, err = c.NextUsers(ctx, *page.Pagination.Next)
	}
}

// UsersPage returns one page of users.
func (c *Client) UsersPage(ctx context.Context, q UserQuery) (Page[[]User], error) {
	var p Page[[]User]
	_, err := c.json(ctx, call{method: "GET", path: "/users", query: q.values(), accept: PaginationType}, &p)
	return p, err
}

// NextUsers follows the link to the next page as it stands, if it leads to the same hub: it came in a reply, and our token
// goes with it.
func (c *Client) NextUsers(ctx context.Context, next NextPage) (Page[[]User], error) {
	var p Page[[]User]
	u, err := url.Parse(next.URL)
	if err != nil || u.Scheme != c.api.Scheme || u.Host != c.api.Host || u.User != nil || !strings.HasPrefix(u.Path, c.api.Path+"/") {
		return p, hub.Errorf(hub.Invalid, "the hub's link to its next page, %q, does not lead to %s://%s%s", next.URL, c.api.Scheme, c.api.Host, c.api.Path)
	}
	_, err = c.json(ctx, call{method: "GET", url: next.URL, accept: PaginationType}, &p)
	return p, err
}

// UsersList returns users in the style that does not know pages: one array, cut at the hub's limit without a word.
func (c *Client) UsersList(ctx context.Context, q UserQuery) ([]User, error) {
	var list []User
	_, err := c.json(ctx, call{method: "GET", path: "/users", query: q.values()}, &list)
	return list, err
}

// User returns one user.
func (c *Client) User(ctx context.Context, name string) (User, error) {
	var u User
	_, err := c.json(ctx, call{method: "GET", path: userPath(name)}, &u)
	return u, err
}

// CreateUsers adds users; those that exist are passed over.
func (c *Client) CreateUsers(ctx context.Context, r CreateUsers) ([]User, error) {
	var list []User
	_, err := c.json(ctx, call{method: "POST", path: "/users", body: r}, &list)
	return list, err
}

// CreateUser adds one user.
func (c *Client) CreateUser(ctx context.Context, name string, admin bool) (User, error) {
	var u User
	_, err := c.json(ctx, call{method: "POST", path: userPath(name), body: UserChange{Admin: &admin}}, &u)
	return u, err
}

// ChangeUser changes a user's name, or whether they are an admin.
func (c *Client) ChangeUser(ctx context.Context, name string, r UserChange) (User, error) {
	var u User
	_, err := c.json(ctx, call{method: "PATCH", path: userPath(name), body: r}, &u)
	return u, err
}

// DeleteUser forgets a user, who is stopped first.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	_, err := c.json(ctx, call{method: "DELETE", path: userPath(name)}, nil)
	return err
}

// Tokens lists a user's tokens.
func (c *Client) Tokens(ctx context.Context, user string) ([]Token, error) {
	var t Tokens
	_, err := c.json(ctx, call{method: "GET", path: userPath(user) + "/tokens"}, &t)
	return t.APITokens, err
}

// NewToken makes a token. Its value is in the reply and can never be read again.
func (c *Client) NewToken(ctx context.Context, user string, r TokenRequest) (Token, error) {
	var t Token
	_, err := c.json(ctx, call{method: "POST", path: userPath(user) + "/tokens", body: r}, &t)
	return t, err
}

// Token returns a token by its id.
func (c *Client) Token(ctx context.Context, user, id string) (Token, error) {
	var t Token
	_, err := c.json(ctx, call{method: "GET", path: userPath(user) + "/tokens/" + url.PathEscape(id)}, &t)
	return t, err
}

// DeleteToken revokes a token by its id ("a5").
func (c *Client) DeleteToken(ctx context.Context, user, id string) error {
	_, err := c.json(ctx, call{method: http.MethodDelete, path: userPath(user) + "/tokens/" + url.PathEscape(id)}, nil)
	return err
}

func userPath(name string) string { return "/users/" + url.PathEscape(name) }
