package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// Client calls one hub. It may be used by many goroutines.
type Client struct {
	api   *url.URL // of the API, without a trailing slash
	token string
	http  *http.Client
}

// Limits on what a reply may be: a page of 10,000 users is a few megabytes.
const (
	maxReply = 64 << 20
	maxError = 1 << 20
)

// socketHost is the name in requests over a Unix socket, where a name means nothing; the hub repeats it in the links of
// its pages.
const socketHost = "jupyterhub.localhost"

// New returns a client of the API at an address: a URL such as http://127.0.0.1:8081/hub/api, the same with a socket as
// its host (http+unix://%2Frun%2Fjupyterhub%2Fadmin.sock/jupyter/hub/api), or the bare path of a socket, which means
// /hub/api there. Token may be empty where the socket tells who calls.
func New(address, token string) (*Client, error) {
	t := &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 2 * time.Minute}
	if socket, path, ok := splitSocket(address); ok {
		address = "http://" + socketHost + path
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, hub.Errorf(hub.Invalid, "%q is no address of a hub; one looks like http://127.0.0.1:8081/hub/api", address)
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment = strings.TrimRight(u.Path, "/"), "", "", ""
	// A redirect could carry the token to another host, and the API never redirects.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{api: u, token: token, http: &http.Client{Transport: t, CheckRedirect: stay}}, nil
}

// SocketURL names the API behind a Unix socket, for New.
func SocketURL(socket, path string) string {
	return "http+unix://" + strings.ReplaceAll(url.PathEscape(socket), "/", "%2F") + path
}

// splitSocket takes the forms of an address that name a socket apart. net/url refuses %2F in a host, so this does not ask it.
func splitSocket(address string) (socket, path string, ok bool) {
	if strings.HasPrefix(address, "/") {
		return address, "/hub/api", true
	}
	rest, ok := strings.CutPrefix(address, "http+unix://")
	host, path, _ := strings.Cut(rest, "/")
	socket, err := url.PathUnescape(host)
	return socket, "/" + path, ok && err == nil && strings.HasPrefix(socket, "/")
}

// call is one request.
type call struct {
	method string
	path   string // escaped, below the API
	url    string // instead of path: a link that the hub gave
	query  url.Values
	body   any // nil: none
	accept string
}

// do sends a call and returns a reply below 300, whose body the caller closes.
func (c *Client) do(ctx context.Context, r call) (*http.Response, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, r call) (*http.Request, error) {
	target := r.url
	if target == "" {
		target = c.api.String() + r.path
		if len(r.query) > 0 {
			target += "?" + r.query.Encode()
		}
	}
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode the body of %s %s: %w", r.method, r.path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, hub.Errorf(hub.Invalid, "%w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "token "+c.token)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	return req, nil
}

// json sends a call and decodes its reply into out, which may be nil. It returns the status.
func (c *Client) json(ctx context.Context, r call, out any) (int, error) {
	resp, err := c.do(ctx, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	switch {
	case err != nil:
		return 0, c.unreached(ctx, err)
	case len(b) > maxReply:
		return 0, hub.Errorf(hub.TooLarge, "the hub's reply to %s %s is over %d bytes", r.method, r.path, maxReply)
	case out == nil || resp.StatusCode == http.StatusNoContent:
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return 0, fmt.Errorf("decode the reply to %s %s: %w", r.method, r.path, err)
	}
	return resp.StatusCode, nil
}

func (c *Client) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return &hub.Error{Kind: hub.Unavailable, Text: "cannot connect", Err: op}
	}
	return &hub.Error{Kind: hub.Unavailable, Text: "the connection broke off", Err: err}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
