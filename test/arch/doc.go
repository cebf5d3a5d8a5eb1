// Package arch holds the house to its plan: who may import whom, and what every room looks like from outside. There is no code
// in it but tests.
//
// It owns the laws, each a row of a table with its reason. It must not know what a package does. Way in: go test. Way out: go
// list, and the parser on the source.
//
// Caveat: a law that names a package which is gone fails, and so does a package that no law names: a new room is entered here
// first.
package arch
