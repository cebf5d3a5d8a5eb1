// Package descriptor asks the kernel about what lies below Go's connections and files.
//
// It owns the way down to a descriptor, through whatever a connection is wrapped in, and the question who is at the other end of a Unix
// socket. It must not know what is spoken over it.
//
// Way in: functions. Way out: the kernel.
//
// Caveat: a descriptor is only good as long as what it belongs to is open. Whoever needs it for longer makes a copy.
package descriptor
