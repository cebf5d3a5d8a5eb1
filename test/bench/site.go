package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// site is a hub with its proxy, seen through JupyterHub's REST API: ours and JupyterHub's own are asked with the same words.
type site struct {
	name  string
	url   string // of the proxy
	api   string // of the hub itself
	token string // of an administrator
	http  *http.Client
}

func newSite(name, url, api, token string, t *http.Transport) *site {
	return &site{name: name, url: url, api: api, token: token, http: &http.Client{Transport: t}}
}

// startPatience bounds one start.
const startPatience = 2 * time.Minute

// start starts the user's server and returns when it has answered.
func (w *site) start(ctx context.Context, user string) error { return w.startWith(ctx, user, nil) }

// startWith starts it with options, which are JSON.
func (w *site) startWith(ctx context.Context, user string, options []byte) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if _, err := w.call(ctx, http.MethodPost, "/users/"+user+"/server", options, http.StatusCreated, http.StatusAccepted); err != nil {
		return err
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		status, _, err := w.do(ctx, http.MethodGet, w.url+"/user/"+user+"/api", nil)
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the server of %s answers %d: %w", user, status, ctx.Err())
		}
	}
}

// stop stops the user's server and returns when it is gone.
func (w *site) stop(ctx context.Context, user string) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if _, err := w.call(ctx, http.MethodDelete, "/users/"+user+"/server", nil, http.StatusNoContent, http.StatusAccepted); err != nil {
		return err
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		body, err := w.call(ctx, http.MethodGet, "/users/"+user, nil, http.StatusOK)
		if err != nil {
			return err
		}
		var state struct {
			Pending *string        `json:"pending"`
			Servers map[string]any `json:"servers"`
		}
		if err := json.Unmarshal(body, &state); err != nil {
			return fmt.Errorf("read the state of %s: %w", user, err)
		}
		if state.Pending == nil && len(state.Servers) == 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the server of %s is still there: %s: %w", user, body, ctx.Err())
		}
	}
}

// createUsers makes users; some may be there.
func (w *site) createUsers(ctx context.Context, names []string) error {
	const atOnce = 100
	for len(names) > 0 {
		some := names[:min(atOnce, len(names))]
		names = names[len(some):]
		body, err := json.Marshal(map[string]any{"usernames": some})
		if err != nil {
			return err
		}
		if _, err := w.call(ctx, http.MethodPost, "/users", body, http.StatusCreated, http.StatusConflict); err != nil {
			return err
		}
	}
	return nil
}

// userToken makes a token of a user's, which may do what the user may.
func (w *site) userToken(ctx context.Context, user string) (string, error) {
	body, err := w.call(ctx, http.MethodPost, "/users/"+user+"/tokens", []byte("{}"), http.StatusCreated, http.StatusOK)
	if err != nil {
		return "", err
	}
	var reply struct{ Token string }
	if err := json.Unmarshal(body, &reply); err != nil || reply.Token == "" {
		return "", fmt.Errorf("make a token for %s: %.200s", user, body)
	}
	return reply.Token, nil
}

// call asks the API, through the proxy, and expects one of the statuses.
func (w *site) call(ctx context.Context, method, path string, body []byte, expected ...int) ([]byte, error) {
	status, answer, err := w.do(ctx, method, w.url+"/hub/api"+path, body)
	if err != nil {
		return nil, err
	}
	for _, e := range expected {
		if status == e {
			return answer, nil
		}
	}
	return nil, fmt.Errorf("%s %s: %d %.500s", method, path, status, answer)
}

func (w *site) do(ctx context.Context, method, url string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "token "+w.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := w.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
