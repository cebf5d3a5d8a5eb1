// Command jupyterhub-proxy stands between the world and the servers: package proxy behind its two sockets.
//
// It owns the wiring: the doors that systemd hands over (http and api), [proxy] of the configuration turned into settings, who
// may edit the table, the journal, the watchdog, reload.
//
// It must not know the hub's state, nor who anybody is. It starts and serves without the hub.
//
// Way in: jupyterhub-proxy.service; SIGHUP or POST /api/reload to read the configuration and the certificate again. Way out:
// the hub's socket and those of users' servers.
//
// Under the name configurable-http-proxy, or told where to listen by that one's options, it is that program: line.go is its
// command line, standin.go the wiring. It then reads no configuration, and opens its doors itself unless systemd did.
//
// Caveat: the API's door is a Unix socket for uid jupyterhub and root. On TCP, as under another JupyterHub,
// CONFIGPROXY_AUTH_TOKEN has to name a token, since every local user can knock there.
package main
