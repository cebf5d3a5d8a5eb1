package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/httpd"
)

// proxyAccount is whom the proxy runs as.
const proxyAccount = "jupyterhub-proxy"

// doors are the listeners that systemd handed over.
type doors struct{ hub, api, admin, credentials net.Listener }

// takeDoors takes all of them, and lets nobody but the proxy and root in by the browsers' one: what it says of a browser's
// address and protocol is believed.
func takeDoors(ctx context.Context, d *daemon.Daemon) (doors, error) {
	var all doors
	var errs []error
	for name, l := range map[string]*net.Listener{
		doorHub: &all.hub, doorAPI: &all.api, doorAdmin: &all.admin, doorCredentials: &all.credentials,
	} {
		var err error
		*l, err = d.Listener(name)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return all, err
	}
	proxy, err := account.NSS{}.Lookup(ctx, proxyAccount)
	if err != nil {
		return all, fmt.Errorf("look up the account %s, which systemd-sysusers makes: %w", proxyAccount, err)
	}
	all.hub = httpd.OnlyPeers(all.hub, func(uid uint32) bool { return uid == 0 || int64(uid) == proxy.UID })
	return all, nil
}
