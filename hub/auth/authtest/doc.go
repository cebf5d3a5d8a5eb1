// Package authtest holds what every authenticator has to keep, as a test suite, and a double that keeps it.
//
// It owns the rules of a login conversation as the porter relies on them. Run checks an authenticator against them: the
// double, the client of the PAM door, one that somebody else wrote behind such a door.
//
// It must not know how anybody checks a password, nor the porter's insides.
//
// Way in: Run, from the tests of an authenticator; Double, from the tests of whoever needs one. Way out: none.
//
// Caveat: the suite cannot see time's differences over a network; equal times are tested where they are made.
package authtest
