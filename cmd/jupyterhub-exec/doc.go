// Command jupyterhub-exec is the first process of a user's server. It is already the user, inside the unit's limits and
// sandbox, and becomes the server:
//
//	jupyterhub-exec [--socket PATH] -- COMMAND [ARGUMENT...]
//
// A command that can listen at a TCP port alone becomes its child instead, at a port of 127.0.0.1 that stands for {port} in
// the arguments, and it listens at PATH in the command's place:
//
//	jupyterhub-exec --socket PATH --tcp -- COMMAND [ARGUMENT...]
//
// A guest, whom systemd makes up for the unit, first waits until root's side has given it the directory of PATH:
//
//	jupyterhub-exec --socket PATH --guest -- COMMAND [ARGUMENT...]
//
// With --dollars before "--", %24 in the command is a dollar sign, and %25 a percent sign.
//
// It is the unit's last process as well, and writes down what was used and which limits were hit before the kernel forgets it:
//
//	jupyterhub-exec --witness FILE
//
// It owns the last step of a start: the credential "environment" of its unit becomes environment variables, a socket that
// an earlier run left at PATH is removed, and COMMAND takes its place. With --tcp it owns the port, the relay and the signals
// as well, and ends as COMMAND ends.
//
// It must not know the hub or the bus, and of what it relays not a byte. It takes from the credential an exact list of variable names and
// nothing else, so that a hub which was taken over cannot make a user's server load its code.
//
// Way in: ExecStart= of a unit that jupyterhub-spawnd composed. Way out: execve. Where that is not reached it says one
// sentence on standard error, which is the unit's journal, and exits with a status that root's side knows: 78 for a
// credential that is not whole, 127 for a command that cannot be run, 64 for a wrong command line.
//
// Caveat: a port belongs to whoever binds it first. What is relayed therefore goes only where the kernel says that the same
// user listens, asked after each connection and before its first byte.
//
// Caveat: systemd 252 hands a unit an empty or partial credential when the hub dies while answering. That is why the
// credential ends in its length and checksum, and why anything else ends here.
package main
