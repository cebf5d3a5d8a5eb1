// Package idleculler stops servers that nobody uses: one pass over the REST API, and done. The timer is systemd's.
//
// It owns the rules by which a server or a user is idle. They are jupyterhub-idle-culler's, which docs/compatibility.md
// compares; testdata/*.golden lists every case.
//
// It must not know the hub's insides: it sees what the API shows to its token, so it works against any JupyterHub.
//
// Way in: Pass. Way out: a Report, which prints as one line, or an error when the users could not be listed; then nothing
// was stopped.
//
// Caveats: a listing that comes in pages is no snapshot. A server that was idle when it was listed is stopped even if
// somebody came back in the second between. A stop that the hub answers with 202 is under way and does not count as done.
package idleculler
