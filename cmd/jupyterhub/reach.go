package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
)

// hub returns a client of the hub behind admin.sock, where the kernel says who calls. A configuration with mistakes does not
// keep it from working: the hub that runs has an older one.
func (a *app) hub() (*client.Client, error) {
	conf, err := config.Load(a.places.config)
	if err != nil {
		conf = config.Default()
	}
	return client.New(client.SocketURL(a.places.admin, conf.Hub.BaseURL+"hub/api"), "")
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
