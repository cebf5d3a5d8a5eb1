// Package localprocess is a second program behind the spawner's door, for development on a machine without systemd: servers
// are processes of whoever runs it, and go with it.
//
// It owns the processes, their sockets' directories and what they print. It is as small as the interface
// org.jupyterhub.Spawner allows, so it is also what to read before writing a spawner for something else: it passes the suite
// of spawnertest through the door, as jupyterhub-spawnd does.
//
// It must not know the hub. It imports the nouns and the wire.
//
// Way in: New; Spawner.Interface, which a main serves; Spawner.Close. Way out: processes, and signals to their groups.
//
// Caveat: there is no sandbox, no limit, no other account: every server runs as the one who runs this. So New refuses unless
// it is told that this is a development machine, and no main that is installed links it. Servers get no identity from here:
// whoever needs one names a command that fetches it.
package localprocess
