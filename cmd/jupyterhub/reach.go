package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// hub returns a client of the hub behind admin.sock, where the kernel says who calls, and where the base URL does not matter:
// that of the file may hold only after a restart.
func (a *app) hub() (*client.Client, error) {
	return client.New(client.SocketURL(a.places.admin, "/hub/api"), "")
}

// patience is how long a command waits for the hub. One that fails at every start leaves its callers in the socket's queue.
const patience = 10 * time.Second

// within bounds what is asked of the hub.
func (a *app) within(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	err := ask(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return hub.Errorf(hub.Unavailable, "the hub did not answer within %s", a.patience)
	}
	return err
}

// systemctl runs systemctl and returns what it prints.
func systemctl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "systemctl", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		text := strings.TrimSpace(stderr.String())
		if text == "" || errors.Is(err, exec.ErrNotFound) {
			text = err.Error()
		}
		return out, hub.Errorf(hub.Unavailable, "systemctl %s: %s", args[0], text)
	}
	return out, nil
}

// printJSON prints for programs.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }
