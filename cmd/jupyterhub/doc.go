// Command jupyterhub is the admin's command line: what runs, what is configured, whether it is right, and the few things
// that an admin does to a hub by hand.
//
// It owns no state and decides nothing. It reads root's configuration, asks the hub through admin.sock, the two root helpers
// through their own sockets, and systemd through systemctl.
//
// It must not open the database: the hub is its one writer and is asked for what is in it.
//
// Way in: a shell, `systemctl reload jupyterhub`. Way out: text for people, or JSON with --json; what went wrong is on
// standard error, one "error:" line for each thing and a "hint:" with what to do.
//
// Caveat: what it says of the machine holds for the moment in which it was asked; `status` is a picture, not a watch.
//
// Exit status: 0 done; 1 it went wrong, or the configuration has mistakes; 2 wrong command line; 3 `status` found a part of
// the hub not running.
package main
