// Command demo is `make demo`: a throw-away machine with a hub to log in to, for as long as it runs.
//
// It owns the one line that says where to go and as whom, and the way from a port of the host's loopback into the machine.
// It must not know how the machine is made: that is package testbed. Way in: make. Way out: testbed.Boot.
//
// Caveat: everybody on this host reaches the port; the password is made anew each time.
package main
