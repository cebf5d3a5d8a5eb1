package spawner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"jupyterhubd/hub"
)

// Bounds of what a server may say of its kernels.
const (
	kernelBytes = 1 << 20
	kernelsRead = 10000
)

// askKernels asks jupyter_server for its kernels (GET <prefix>api/kernels) and reports whether one of them is at work: it runs a
// cell, be it that the cell only waits. The question is none of what jupyter_server itself counts as activity.
//
// The answer is the user's and may be any lie. An error means that this is another program, or one that does not say.
func askKernels(ctx context.Context, unit hub.Unit, prefix, token string) (busy bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server"+prefix+"api/kernels?no_track_activity=1", nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "token "+token)
	request.Header.Set("Accept", "application/json")
	response, err := clientOf(unit).Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // "" is another one, ignoring
	if response.StatusCode != http.StatusOK || kind != "application/json" {
		return false, fmt.Errorf("ask for kernels: %s, %q", response.Status, kind)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, kernelBytes+1))
	if err != nil {
		return false, err
	}
	return parseKernels(body)
}

// parseKernels reads jupyter_server's list of kernels, and reports whether one is at work. One that starts, or of which nothing was
// ever heard, is not.
func parseKernels(body []byte) (busy bool, err error) {
	if len(body) > kernelBytes {
		return false, errors.New("the list of kernels is too long")
	}
	var kernels []struct {
		ID    string `json:"id"`
		State string `json:"execution_state"`
	}
	if err := json.Unmarshal(body, &kernels); err != nil {
		return false, fmt.Errorf("read the list of kernels: %w", err)
	}
	if kernels == nil || len(kernels) > kernelsRead {
		return false, errors.New("this is no list of kernels")
	}
	for _, k := range kernels {
		if k.ID == "" || k.State == "" {
			return false, errors.New("this is no list of kernels")
		}
		busy = busy || k.State == "busy"
	}
	return busy, nil
}
