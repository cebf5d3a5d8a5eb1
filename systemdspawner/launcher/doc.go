// Package launcher is root's side of the spawner's door: it decides what a user's server may be, composes its unit and
// speaks to systemd. The program jupyterhub-spawnd is this package behind a socket.
//
// It owns the policy (root's configuration as a Policy), the composition of units (Compose, a pure function held by golden
// files), the directories of the users' sockets, the conversation with systemd, the causes of failures, and the Varlink
// interface org.jupyterhub.Spawner.
//
// It must not know the hub: no store, no sessions, no net/http, no token. From whoever calls it takes the name of a user,
// of a server and of a profile, each of them looked up or compared here, and nothing else: no property, no command, no uid.
// Every line of it runs as root, so what is not needed for that is not here.
//
// Way in: New; Launcher.Run, which keeps the connection to systemd; Launcher.Interface, which a main serves. Way out:
// systemd over D-Bus, getent through package account, journalctl by fixed path, the cgroup file system, and for a home that is missing
// mkhomedir_helper, in a unit of its own.
//
// What is true stands in systemd. The roster here is a picture of it, drawn anew from the list of units after every
// connection and kept by signals in between. The first picture, for which somebody may wait, is drawn from what systemd has written
// down of its units, and systemd is asked about them after that. A launcher that is killed and started again misses nothing. A failed unit is
// left in systemd until somebody has been told its cause.
//
// A server is known by its user and its name, in the roster as at the door. What its unit is called says a template of root's,
// which may have been another one when the unit was started.
//
// Caveat: a unit is ours when it is transient, in jupyter.slice or below, and has the log fields that Compose writes. An
// admin's own jupyter-lab.service has none of that and is never touched; a clash of names is refused in a sentence that
// names the file.
//
// Caveat: what a unit's control groups have counted goes with them, and systemd tells of it only what is more than a second of
// processor time; on cgroup v1 neither it nor the kernel tells which limits were hit. So the last process of a unit is
// jupyterhub-exec as a witness, which writes it down.
package launcher
