package spawner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// probeHTTP asks GET <prefix>api over the unit's socket until the answer's status is below 500, as JupyterHub 5 and later
// does; nothing follows redirects or proves who asks. Every error but a stranger behind the socket means "not yet": the
// socket's file is there a moment before anybody listens at it.
func probeHTTP(ctx context.Context, unit hub.Unit, prefix string) (string, error) {
	client := clientOf(unit)
	retry := backoff{first: 20 * time.Millisecond, most: time.Second}
	for {
		version, err := firstAnswer(ctx, client, prefix)
		switch {
		case err == nil:
			return version, nil
		case causeIn(err) != nil:
			return "", err
		case !retry.wait(ctx):
			return "", context.Cause(ctx)
		}
	}
}

// clientOf is a client of one server, at its unit's socket. It follows no redirect.
func clientOf(unit hub.Unit) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialServer(ctx, unit)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func firstAnswer(ctx context.Context, client *http.Client, prefix string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server"+prefix+"api", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return "", fmt.Errorf("ask the server: %s", response.Status)
	}
	return response.Header.Get("X-JupyterHub-Version"), nil
}

// dialServer connects to a unit's socket and makes sure, before the first byte, that the unit's user listens there: the
// user owns the directory and may have put a link to somebody else's socket into it.
func dialServer(ctx context.Context, unit hub.Unit) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", unit.Socket)
	if err != nil {
		return nil, err
	}
	if peer := varlink.PeerOf(c); int64(peer.UID) != unit.UID {
		return nil, errors.Join(stranger(unit, peer.UID), c.Close())
	}
	return c, nil
}

func stranger(unit hub.Unit, uid uint32) error {
	return withCause(&hub.Cause{
		Kind: hub.CauseSystem, Unit: unit.Name, Invocation: unit.Invocation,
		Message: "Somebody else listens where the server should. It was not let near you.",
		Detail:  fmt.Sprintf("the socket's listener has uid %d, the unit %d", uid, unit.UID),
	})
}
