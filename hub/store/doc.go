// Package store is the cellar: what the hub remembers, in one bbolt file with one writer.
//
// It owns the file: its schema and its migrations, its buckets and their indexes, the transactions, the hot backup, and the
// hashing of every secret that is kept (tokens, client secrets, codes, login cookies: SHA-256, which is enough because each
// is random with at least 128 bits or, for tokens that an admin made, as good as its maker chose it), and the sealing of the one
// that is told again (what an authenticator keeps about a user). It owns as well the
// activity that arrives too often to be written each time: coalesced in memory, laid over every read, flushed in one
// transaction within a second.
//
// It must not know what the records mean: who may read them is hub/auth's and hub/rbac's, what runs is systemd's. It knows
// no HTTP and no configuration.
//
// Way in: Open, then View and Update with a Tx whose methods are the verbs. Run flushes and prunes; whoever opens a store
// runs it. Way out: the nouns of package hub, errors of its kinds (NotFound, Conflict, Invalid, Unavailable).
//
// Caveats: what Update returned nil for is on disk. Activity (Touch and its sisters) is not: a kill loses up to a second of
// it. The file comes into its place whole, so that a first start can be killed as well as any other moment (crash_test.go goes
// through them all). Every record is written together with its index rows, which one function a record type names (…Rows), and Check
// verifies that the file holds exactly those.
package store
