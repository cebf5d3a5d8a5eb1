package api

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// page is which part of a list a request wants.
type page struct {
	offset, limit int
	envelope      bool // the client asked for pages (JupyterHub's opt-in by Accept)
	self          *url.URL
}

// pageOf reads a request's wish. Without the opt-in the list is cut at the greatest limit, silently: that is the protocol.
func (room *Room) pageOf(r *http.Request) (page, error) {
	p := page{envelope: optsIn(r.Header.Values("Accept")), limit: room.PageMax, self: address(r)}
	if p.envelope {
		p.limit = room.PageLimit
	}
	query := r.URL.Query()
	if err := whole(query, "offset", &p.offset); err != nil {
		return p, err
	}
	if err := whole(query, "limit", &p.limit); err != nil {
		return p, err
	}
	p.limit = min(max(p.limit, 1), room.PageMax)
	return p, nil
}

// whole reads a number; JupyterHub takes a negative one for its absolute value, and the greatest limit for one beyond it.
func whole(query url.Values, name string, into *int) error {
	text, ok := argument(query, name)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange) && name == "limit":
		n = math.MaxInt32
	case err != nil:
		return hub.Errorf(hub.Invalid, "Invalid argument type, %s must be an integer", name)
	}
	*into = int(max(n, -n))
	return nil
}

// argument returns what a query says of a name; the last word counts.
func argument(query url.Values, name string) (string, bool) {
	all := query[name]
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}

func optsIn(accept []string) bool {
	for element := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if strings.EqualFold(strings.TrimSpace(element), client.PaginationType) {
			return true
		}
	}
	return false
}

// address is the URL that the client asked for, so that it can follow what is made of it, wherever it stands.
func address(r *http.Request) *url.URL {
	u, v := *r.URL, auth.VisitOf(r)
	u.Scheme, u.Host = v.Scheme, v.Host
	return &u
}

// of wraps a page's items, out of total, if the client asked for that.
func (p page) of(items any, total int) any {
	if !p.envelope {
		return items
	}
	out := client.Page[any]{Items: items, Pagination: client.Pagination{Offset: p.offset, Limit: p.limit, Total: total}}
	if next := p.offset + p.limit; next < total {
		query := p.self.Query()
		query.Set("offset", strconv.Itoa(next))
		query.Set("limit", strconv.Itoa(p.limit))
		u := *p.self
		u.RawQuery = query.Encode()
		out.Pagination.Next = &client.NextPage{Offset: next, Limit: p.limit, URL: u.String()}
	}
	return out
}

// cut returns a page of a whole list.
func cut[T any](all []T, p page) []T {
	from := min(p.offset, len(all))
	return all[from:min(from+p.limit, len(all))]
}
