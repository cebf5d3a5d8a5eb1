// Package strict speaks HTTP/1 with strangers, and refuses what two programs could read differently.
//
// It owns one reading of RFC 9112: where a head ends, how long the body behind it is, and which spellings are refused. Server
// serves handlers of net/http's by it, ReadAnswer and Chunks read what upstreams answer. Conn is the same reading for servers
// that are net/http's: it looks at the bytes on their way there and changes none of them, and in the place of what it refuses puts
// a line that no server accepts, so that the 400 stands behind the answers to earlier requests.
//
// Refused are, in requests and answers: bare CR or LF; anything but HTTP/1.0 and HTTP/1.1; obsolete line folding; space before a
// colon; control characters; more than 1,000 lines; a repeated, signed, listed or overlong Content-Length; any
// Transfer-Encoding but one "chunked", with HTTP/1.0, or beside a Content-Length. In requests also: a missing, repeated or
// impossible Host; a body in a WebSocket handshake. In chunked bodies: sizes that are not plain hexadecimal, and the same faults
// of lines. A bad body fails the read of the body, since its answer may be under way.
//
// A connection that is kept and not used for a while is parked: it has no goroutine and no buffer until its client speaks again.
//
// HTTP/2 is net/http's. Frames looks at where its frames begin, and ends connections whose heads take too long or that say too much that is
// nothing. What slow clients make a connection hold is told to its Room, by whose word it may be dropped.
//
// It must not know routes, users, or headers that have nothing to do with framing.
//
// Way in: Server.Serve, with a connection (under TLS: the decrypted side); Wrap and NewFrames, for one that net/http will serve. Way
// out: an http.Handler.
//
// Caveats: what is accepted is fuzzed against net/http, byte for byte of head and body; what is not needed here is left out:
// HTTP/1.0 connections end with their answer, no Content-Type is guessed, and an answer of unsaid length is chunked. A request's
// URL is empty: its RequestURI is what came. A client that closes its side has left, and the context of its requests ends.
// Behind Conn, after a request that offers an upgrade to WebSocket, nothing is looked at any more (see Conn.Raw): whoever
// answers such a request with anything but 101 must close the connection.
package strict
