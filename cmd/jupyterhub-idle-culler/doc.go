// Command jupyterhub-idle-culler stops servers that nobody uses: one pass over the hub's REST API, and done. Its timer unit
// starts it again; the interval belongs there.
//
// It owns the command line, where the token comes from, and the line in the journal. The rules are package idleculler's.
//
// It must not know the hub's insides or have any right beyond its token's.
//
// Way in: jupyterhub-idle-culler.timer, or a person with JUPYTERHUB_API_TOKEN set. Way out: exit status 0 after a pass,
// even one with single failures, which are in the journal; 1 when the users could not be listed or the configuration has
// mistakes; 2 for a wrong command line.
//
// Caveat: the Python program runs for ever and sleeps in between. Its --cull-every is refused with the timer's name.
package main
