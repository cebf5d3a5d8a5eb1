// Package testbed boots a throw-away machine with a real systemd, for the system tests, the browser tests, the benchmarks and
// `make demo`.
//
// It owns the machine, called a bed: its namespaces (mount, process, network, IPC, host name, cgroup), its file system (the
// host's, with a layer of its own above it), its cgroups in each hierarchy, the product that `make install` puts there, the
// cast of accounts (admin, alice, bob, mallory), and the proof that nothing of it is left afterwards.
//
// It must not know what the product does: no package of ours is imported, and everything is asked from outside, as an admin
// or a user would.
//
// Way in: Main and Shared in tests, one bed for all tests of a package; Boot elsewhere; Guest for a machine with a kernel of its
// own, on which Shared returns that machine. Way out: nsenter, D-Bus, journalctl, sockets: Run, As, Dial, AwaitUnit, AwaitJournal.
//
// Caveats: it needs root, util-linux, iproute2 and systemd, nothing else. The host's mounts and files are never changed, its
// cgroups get one directory in each hierarchy; whoever is killed with -9 leaves these and an empty directory in /tmp, which
// the next boot removes, while its processes and mounts go with it. Limits bind as far as the host has controllers: with
// cgroup v1, out-of-memory kills are told as Result=signal and nothing can be frozen; Options.Unified shows the reverse, and a
// guest has all of it.
package testbed
