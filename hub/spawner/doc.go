// Package spawner is the workshop: the life of every user's server, from the wish to the cell and back.
//
// It owns the state of each active server (one value, changed in one function by a table), the queue that servers wait in
// to be started, the progress that a browser watches, the reconciliation of what is wished with what systemd runs, the
// routes that follow from both, and the answers that PID 1 gets when a unit asks for its identity.
//
// It must not know HTTP pages, scopes of actors or the configuration file; nor how a unit is composed: that is behind
// Spawner, as the proxy's table is behind Router.
//
// Way in: Manager's verbs (Start, Stop, Remove, Watch, ...) for the rooms, ServeCredentials for PID 1, and the events of
// Spawner.Watch. Way out: calls of Spawner and Router, wishes and tokens in hub/store, events to watchers.
//
// Caveats. The wish is on disk before anything is asked of the Spawner, so a hub that is killed at any point finds either
// a wish and a unit, or one of the two, and the table in reconcile.go says what becomes of each. Nothing here polls: a
// server is known dead because an event said so, or because a whole inventory does not list it. When Run ends, servers
// run on. Only active servers take memory; a stopped or failed one is its record in the store.
// What a server says of itself is hostile input: it can keep itself awake by it for a bounded time, and do nothing else.
package spawner
