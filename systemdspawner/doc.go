// Package systemdspawner is the hub's side of the spawner's door: it asks jupyterhub-spawnd, or whatever program speaks
// org.jupyterhub.Spawner behind the socket, to start, stop and watch the units of users' servers.
//
// It owns the calls and nothing else: what the hub's workshop declares as spawner.Spawner is said here in Varlink.
//
// It must not know systemd. Units, properties and D-Bus are the business of package launcher on root's side, which this
// package does not import.
//
// Way in: New with the socket's path; the methods of Client. Way out: one connection a call on that socket.
//
// Caveat: Watch does not reconnect. When the door goes away it returns an error of kind Unavailable, and whoever called it
// calls again; the first thing that the new stream says is the whole inventory, so nothing is missed.
package systemdspawner
