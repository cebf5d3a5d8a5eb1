// Package varlink is the wire of the two locked doors: JSON objects, each ended by a NUL byte, as systemd's own daemons
// speak it (https://varlink.org). A method is called by its qualified name; a call with "more" is answered by a stream.
//
// It owns the framing and its limits, the strict reading of what comes over a socket, the peer's credentials, the standard
// interface org.varlink.service (so that varlinkctl can list and call our doors), and the published interface files: anyone
// may write another side.
//
// It must not know what the methods mean, who may call them (Service.Allow says so), or anything of HTTP.
//
// Way in: Dial, or Service.Serve on a listener that systemd passed. Way out: the handlers of an Interface.
//
// Caveats: a message is at most MaxMessage bytes, a request MaxRequest, and MaxDepth levels deep, and an object with two keys that differ in case
// alone is refused, since Go would silently take the later one. A connection carries one call at a time; a second one
// waits. Upgrades of a connection to another protocol are not offered.
package varlink
