// Command jupyterhubd is the hub: it decides, remembers and renders, as the system user jupyterhub and with no privilege.
//
// It owns the wiring: which options become which part's, in which order parts start and end, which door of systemd's leads
// to which handler, what a reload exchanges, and the service idle-culler.
//
// It must not know what a part does inside, and no part knows the configuration file: options.go translates.
//
// Way in: the sockets that systemd hands over by name (hub, api, admin, credentials), SIGHUP, SIGTERM. Way out:
// spawnd.sock, pam.sock, passwd.sock and the proxy's api.sock.
//
// Caveats: credentials are served before anything else, because a unit that starts while we do waits for its own. Browsers
// are served once it is known what runs, or after ten seconds. Its end stops no user's server.
package main
