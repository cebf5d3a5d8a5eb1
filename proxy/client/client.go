package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// Limits of the calls.
const (
	patience   = 30 * time.Second // for a proxy that is away
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
	callTime   = 20 * time.Second // for one answer
	maxAnswer  = 64 << 20         // bytes; a hundred thousand routes
	concurrent = 10               // calls at one time
)

// Client edits one proxy's table. Its methods may be called from any goroutine.
type Client struct {
	base   string
	token  string
	byHost bool   // every routespec but "/" begins with a host
	origin string // of our hub, as the proxy says it: an address, or oneHost; "" for any
	http   *http.Client
	turn   chan struct{} // holds one value a call under way
}

// New returns a client of the proxy whose API is at a Unix socket ("/run/jupyterhub-proxy/api.sock") or at a URL
// ("http://127.0.0.1:8001"). The token may be empty at a socket that knows its peers.
func New(socketOrURL, token string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: concurrent, IdleConnTimeout: time.Minute}
	c := &Client{base: strings.TrimRight(socketOrURL, "/"), token: token, turn: make(chan struct{}, concurrent),
		http: &http.Client{Transport: transport, Timeout: callTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if strings.HasPrefix(socketOrURL, "/") {
		c.base = "http://jupyterhub-proxy"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socketOrURL)
		}
	}
	return c
}

// OfHub says which hub the proxy has to be in front of: one at an origin that is one of several hosts ("https://hub.example.org"), or, with
// "", one that shares its host with all. It is called before the client is used. A proxy that takes its hub to be elsewhere was started
// with another configuration: its table is then neither read nor added to, which is an error of kind Conflict. One that does not say,
// as configurable-http-proxy, is believed.
func (c *Client) OfHub(origin string) {
	c.byHost, c.origin = origin != "", cmp.Or(origin, oneHost)
}

// What a proxy of ours says of where it takes its hub to be.
const (
	hostsHeader = "Jupyterhub-Hosts"
	oneHost     = "one"
)

// agrees looks whether proxy and hub were started with the same hosts.
func (c *Client) agrees(method string, said http.Header) error {
	at := said.Get(hostsHeader)
	if c.origin == "" || at == "" || at == c.origin || method == http.MethodDelete {
		return nil
	}
	return hub.Errorf(hub.Conflict, "the proxy was started with another subdomain_host than the hub (%s, not %s); until both are started again nobody's "+
		"server gets or loses an address: systemctl restart jupyterhub jupyterhub-proxy", at, c.origin)
}

// Add sets a route; one that is there already is replaced.
func (c *Client) Add(ctx context.Context, r hub.Route) error {
	path, err := c.pathOf(r.Spec)
	if err != nil {
		return err
	}
	if err := c.call(ctx, http.MethodPost, path, dataOf(r), nil); err != nil {
		return fmt.Errorf("add the route %s: %w", r.Spec, err)
	}
	return nil
}

// Delete removes a route. That there is none is no error.
func (c *Client) Delete(ctx context.Context, spec string) error {
	path, err := c.pathOf(spec)
	if err != nil {
		return err
	}
	if err := c.call(ctx, http.MethodDelete, path, nil, nil); err != nil && hub.KindOf(err) != hub.NotFound {
		return fmt.Errorf("delete the route %s: %w", spec, err)
	}
	return nil
}

// Routes lists the routes that a hub made, in no order.
func (c *Client) Routes(ctx context.Context) ([]hub.Route, error) {
	var all map[string]json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/routes", nil, &all); err != nil {
		return nil, fmt.Errorf("list the routes: %w", err)
	}
	routes := make([]hub.Route, 0, len(all))
	for key, raw := range all {
		var d data
		if json.Unmarshal(raw, &d) == nil && d.JupyterHub { // what somebody added by hand may have any shape
			routes = append(routes, d.route(c.specOf(key)))
		}
	}
	return routes, nil
}

// EndSession tells the proxy that a browser's session has ended: its WebSockets are closed, and for ten minutes its requests
// reach no server with cookies that speak for it. The id is the value of the jupyterhub-session-id cookie; only its hash is
// sent.
func (c *Client) EndSession(ctx context.Context, id string) error {
	sum := sha256.Sum256([]byte(id))
	if err := c.call(ctx, http.MethodPost, "/api/sessions/"+hex.EncodeToString(sum[:])+"/end", nil, nil); err != nil {
		return fmt.Errorf("end a session at the proxy: %w", err)
	}
	return nil
}

// EndVisit tells the proxy that a browser's session may not be at a route any more: its WebSockets there are closed, and the server
// there has to ask the hub about it anew. The proxy keeps that in mind until the session is over. The spec is the route's.
func (c *Client) EndVisit(ctx context.Context, id, spec string, until time.Time) error {
	path, err := c.pathOf(spec)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(id))
	q := url.Values{"spec": {strings.TrimPrefix(path, "/api/routes")}, "until": {until.UTC().Format(time.RFC3339)}}
	if err := c.call(ctx, http.MethodPost, "/api/sessions/"+hex.EncodeToString(sum[:])+"/end?"+q.Encode(), nil, nil); err != nil {
		return fmt.Errorf("end a session at a server: %w", err)
	}
	return nil
}

// EndTokens tells the proxy that tokens open nothing any more: WebSockets that were opened with them are closed, and for ten minutes, longer
// than servers remember what a token is, requests reach no server with them. They are named by their values' SHA-256 in hexadecimal digits.
func (c *Client) EndTokens(ctx context.Context, names []string) error {
	if err := c.call(ctx, http.MethodPost, "/api/tokens/end", map[string][]string{"tokens": names}, nil); err != nil {
		return fmt.Errorf("end tokens at the proxy: %w", err)
	}
	return nil
}

// AskAboutToken tells the proxy that a token may open less than before: every server has to ask the hub about it anew, and WebSockets that
// were opened with it are closed, but those at the routes of stay.
func (c *Client) AskAboutToken(ctx context.Context, name string, stay []string) error {
	paths := make([]string, len(stay))
	for i, spec := range stay {
		path, err := c.pathOf(spec)
		if err != nil {
			return err
		}
		paths[i] = strings.TrimPrefix(path, "/api/routes")
	}
	if err := c.call(ctx, http.MethodPost, "/api/tokens/"+name+"/anew", map[string][]string{"stay": paths}, nil); err != nil {
		return fmt.Errorf("have servers ask about a token anew: %w", err)
	}
	return nil
}

// Reload makes the proxy read its configuration and certificates again, or, to check, only say whether it would. It returns
// the changes in sentences. Mistakes are one error of kind Invalid with a line each.
func (c *Client) Reload(ctx context.Context, check bool) ([]string, error) {
	path := "/api/reload"
	if check {
		path += "?check=1"
	}
	var answer struct {
		Changes []string `json:"changes"`
	}
	if err := c.call(ctx, http.MethodPost, path, nil, &answer); err != nil {
		return nil, err
	}
	return answer.Changes, nil
}

// call makes one call. Every call of this API can be made twice, so one that found no proxy, or a proxy in trouble, is made
// again after a pause.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = b
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return &hub.Error{Kind: hub.Unavailable, Text: "the proxy is busy", Err: ctx.Err()}
	}
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := c.once(ctx, method, path, body, out)
		if hub.KindOf(err) != hub.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (c *Client) once(ctx context.Context, method, path string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if c.token != "" {
		r.Header.Set("Authorization", "token "+c.token)
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(r)
	if err != nil {
		return &hub.Error{Kind: hub.Unavailable, Text: "the proxy does not answer", Err: cause(err)}
	}
	defer res.Body.Close()
	if err := c.agrees(method, res.Header); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &hub.Error{Kind: hub.Unavailable, Text: "the proxy broke off", Err: err}
	}
	if res.StatusCode/100 != 2 {
		return refusal(res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the proxy's answer: %w", err)
	}
	return nil
}

// cause takes the URL off an error of net/http: its path can name a user or a session.
func cause(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// kinds is the table from the proxy's statuses to ours. Every other one is a proxy in trouble.
var kinds = map[int]hub.Kind{
	http.StatusBadRequest:            hub.Invalid,
	http.StatusForbidden:             hub.Forbidden,
	http.StatusNotFound:              hub.NotFound,
	http.StatusMethodNotAllowed:      hub.NotFound,
	http.StatusRequestEntityTooLarge: hub.TooLarge,
}

// refusal makes an error of an answer: configurable-http-proxy's has a text or nothing, ours a JSON object.
func refusal(status int, answer []byte) error {
	kind, ok := kinds[status]
	if !ok {
		kind = hub.Unavailable
	}
	var told struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &told) != nil || told.Message == "" {
		told.Message = fmt.Sprintf("the proxy answered %d", status)
	}
	return &hub.Error{Kind: kind, Text: told.Message}
}
