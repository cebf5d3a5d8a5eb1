// Package conv holds one PAM conversation: it asks what the modules of a PAM service ask, and says whether they are content.
//
// It owns the order of the PAM calls (pam_start, items, pam_authenticate, pam_acct_mgmt, pam_chauthtok, pam_end), the
// callback, and the meaning of PAM's status codes.
//
// It must not know who may be asked for (the door decides that before it comes here), how questions travel, or anything of
// sessions: pam_open_session and pam_setcred are never called, because a login to the hub is no session on the machine and
// pam_systemd would move a server out of its unit's cgroup.
//
// Way in: Authenticate and Change, which return when the conversation is over. Way out: the Ask that the caller gives, and
// whatever the machine's PAM modules do.
//
// Caveats: this is the only cgo of the house. Modules may keep state in the thread, fork, and wait for their children: a
// conversation keeps its thread, and a process holds one conversation. The library hands over a module's messages one by
// one, so a module that asks two questions at once is answered in two steps.
package conv
