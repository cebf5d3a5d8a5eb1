// Package account asks the operating system's name service who a name is, and decides whether root's rules admit it.
//
// It owns three things: which strings may be looked up at all (Clean), the look-up itself (NSS), and root's allow rules
// (Rules). Both root processes go through it, so a name that one refuses the other cannot be talked into.
//
// It must not know why it is asked: nothing of PAM, units, sockets or the hub's own users and groups. A group here is a
// group of the operating system.
//
// Way in: a name as a stranger typed it, or a uid. Way out: the program getent, found at one fixed path, with an empty
// environment, a time limit and a size limit. getent speaks for every source that the machine has (files, LDAP, SSSD, AD,
// systemd); the standard library's os/user, built without cgo, would read /etc/passwd alone.
//
// Caveat: getent cannot tell "no such account" from "the directory server is away": both are NotFound here.
// Caveat: getent takes a key that looks like a number, even " 0" or "+0", for a uid. Clean refuses all of these.
package account
