// Command jupyterhub-spawnd starts and stops the servers of users, as root, for whoever may knock at its socket: the hub
// and root. It is package launcher behind jupyterhub-spawnd.socket.
//
// It owns the wiring: the socket from systemd, root's configuration turned into a launcher.Policy, who may knock, the
// journal, the watchdog.
//
// It must not know the hub: no store, no sessions, no net/http is linked into it.
//
// Way in: jupyterhub-spawnd.service; SIGHUP or the verb Reload to read the configuration again. Way out: systemd.
//
// Caveat: it is equivalent to root and meant to be; what guards it is how little it takes from a caller.
package main
