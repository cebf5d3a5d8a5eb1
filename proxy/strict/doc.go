// Package strict guards a net/http server against request heads that two programs could read differently.
//
// It owns one reading of RFC 9112: where a request's head ends, how long its body is, and which spellings are refused. It
// looks at the bytes on their way from the connection to net/http and changes none of them, so net/http parses exactly what
// was checked. What it refuses, net/http answers with 400 and closes: the rest of the head is replaced by a line that no
// server accepts, so the answer stands in its place behind those of earlier requests.
//
// Refused are: bare CR or LF; anything but HTTP/1.0 and HTTP/1.1; obsolete line folding; space before a colon; control
// characters; more than 1,000 lines; a missing, repeated or impossible Host; a repeated, signed, listed or overlong
// Content-Length; any Transfer-Encoding but one "chunked", with HTTP/1.0, or beside a Content-Length; a body in a WebSocket
// handshake. In a chunked body: sizes that are not plain hexadecimal, and the same faults of lines. A bad body fails the
// read of the body, since its answer may be under way.
//
// Upstreams' answers are read here as well (ReadAnswer, Chunks), by the same rules; there is no reading of them elsewhere.
//
// It must not know routes, hosts or headers that have nothing to do with framing.
//
// Way in: Wrap, on a connection that net/http will serve as HTTP/1 (under TLS: on the decrypted side). Way out: Conn is the
// net.Conn that http.Server reads.
//
// Caveats: after a request that offers an upgrade to WebSocket the bytes are a tunnel's, and nothing looks at them any more
// (see Conn.Raw): whoever answers such a request with anything but 101 must close the connection. The size of a head is
// net/http's to limit (MaxHeaderBytes, 431); nothing is buffered here.
package strict
