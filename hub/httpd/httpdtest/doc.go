// Package httpdtest holds what strangers put into the heads of their requests, for the tests of whatever room the hall leads to.
//
// It owns the list of fields and odd values, and how they come into a request.
//
// It must not know a room, nor what an answer should be: that each room's tests judge.
//
// Way in: Draw or Strange, then Put, from tests. Way out: none.
//
// Caveat: some of the values pass no HTTP client and no server of Go's. Requests with them are handed to the hall itself.
package httpdtest
