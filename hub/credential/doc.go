// Package credential is the form in which a server's identity travels from the hub to the first process of its unit: a
// systemd credential that holds environment variables.
//
// It owns the exact list of variable names that the hub may set, the encoding, and its closing line with length and
// checksum: PID 1 hands a unit a partial or an empty credential when the hub dies in the middle of an answer, and a server
// must not start with half an identity.
//
// It must not know where values come from or what becomes of them.
//
// Way in: Encode, at the hub. Way out: Decode, in jupyterhub-exec.
//
// Caveat: the checksum guards against accidents, not against forgery; who may write the credential is PID 1's affair.
package credential
