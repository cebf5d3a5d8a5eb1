// Package hub holds the nouns of the house and its errors: reading it is reading the glossary.
//
// It owns the words: a user, a user's server, the systemd unit that runs it, the route that leads to it, the token that
// opens a door, the account that the operating system knows. Every room, and every program behind a locked door, speaks
// to the others in these words alone.
//
// It must not know anything: no storage, no wire, no HTTP, no systemd. It imports the standard library and nothing of
// this module.
//
// Way in: none; it is imported. Way out: none.
//
// Caveat: a server's State is not stored. What is stored is the wish (Server.Wanted); what is true is asked of systemd.
package hub
