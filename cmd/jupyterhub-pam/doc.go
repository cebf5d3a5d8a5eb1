// Program jupyterhub-pam holds one login as root and ends. systemd starts one for every connection to
// /run/jupyterhub/pam.sock, and with --passwd for every one to /run/jupyterhub/passwd.sock.
//
// It owns the wiring: root's configuration, the connection that systemd hands over, the caller's uid, the log, and the two
// minutes after which it is gone, whatever a PAM module is waiting for.
//
// It must not know how a login goes (hub/auth/pam/door) or how PAM is spoken to (hub/auth/pam/conv).
//
// Way in: systemd. Way out: one answer.
//
// Caveat: it reads root's configuration anew each time, so a change of the allow rules holds from the next login on, without
// a reload. A file with mistakes refuses every login, and the journal says what they are.
package main
