// Package door is root's side of a login: one connection of jupyterhub-pam.socket or jupyterhub-passwd.socket.
//
// It owns the distrust of whoever calls: which names may be put to PAM at all, the one sentence that every refusal has, the
// time that every refusal takes, and the name with which a conversation ends (the name service's, never the caller's).
//
// It must not know cgo or PAM's calls (Options.Converse brings them), configuration files, or anything of the hub: no store,
// no session, no net/http.
//
// Way in: Serve, for one connection. Way out: the name service, by package account, and Options.Converse.
//
// Names that must not come in (root, system accounts, whom root's rules do not admit) are never put to PAM: their
// conversation is held with a stand-in whom nobody can be, so that it looks like any other, and refused whatever it
// says. Nobody is counted, locked or logged by a PAM module for what a stranger typed about root.
//
// Caveat: equal times hold as long as the machine's work for a login fits into one grain (see pace); where it takes longer,
// the answer moves to the next grain, for the known and the unknown alike.
package door
