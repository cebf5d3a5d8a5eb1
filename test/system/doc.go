// Package system holds the plays: tests that see the whole product on a booted machine, as admins, users and attackers do.
//
// It owns what can only be seen from outside: who may reach whom, what survives which death, what a person is told.
//
// It must not know how the product does it: it speaks to sockets, to systemd and to the command line, and of our packages it
// imports the nouns, the client of the API and what a third party may import too, and the store for the copies of its file.
//
// Way in: go test, as root, which boots one machine for all plays (package testbed); a play that breaks the machine boots
// its own. Way out: testing.T, with the journal of our units where a play fails.
//
// Caveat: plays share accounts. Each leaves its cast without servers, the configuration as it found it, and a database whose
// invariants hold: the last is looked at after each.
package system
