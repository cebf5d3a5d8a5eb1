// Package proxy stands between the world and the servers. It owns the public door (TLS, HTTP/1.1, HTTP/2, WebSockets), the
// table of routes, the file that keeps the table over the proxy's death, and the REST API by which the hub edits the table:
// configurable-http-proxy's, so that each can stand in for the other.
//
// It must not know who anybody is, nor the hub's state: a route's data says whose server it leads to, and that is all.
// It never needs the hub: with the hub away, running servers are reached as before.
//
// Way in: Proxy.Serve for the world, Proxy.ServeAPI for the hub, Proxy.Run beside them. Way out: the targets of the routes,
// over TCP or over Unix sockets, where the listener's uid is compared with the route's before the first byte.
//
// # One reading of a path
//
// The path is read once, from the request's own bytes, and what was matched is what is forwarded. It is divided at raw
// slashes; each segment is decoded for matching. Keys match whole segments, the longest wins, case counts. Forwarded are the
// bytes that came, with two exceptions: raw bytes that no path may hold (quotes, braces, above 0x7f) are percent-encoded one by
// one, and the part that the route matched is spelled as the upstream spells it (/user/jo%40ex.org/ becomes
// /user/jo@ex.org/). The query is not looked at, but for polls. Answered 400: dot segments in any spelling, also behind an encoded slash or
// backslash; raw backslashes and "#"; escapes that are none or do not decode to text. An encoded slash never divides, and
// "//" is an empty segment, which no key has.
//
// # What an upstream learns
//
// X-Forwarded-For, X-Real-Ip, X-Forwarded-Proto, X-Scheme, X-Forwarded-Host, X-Forwarded-Port and Forwarded (RFC 7239) are set by
// us, with one value each; whatever a client sends under these names, under Forwarded, X-Forwarded-* or Proxy-* is removed. A proxy that is
// trusted (Settings.Trusted, or a Unix socket's peer) is believed instead of the connection. Host is kept.
//
// The hub also gets X-JupyterHub-Insecure: 1 (InsecureHeader) when the browser's words cross a network in the clear: the
// request is not https, by our TLS or by a trusted proxy's word, and did not come from loopback to loopback. The header is
// removed from what clients send, so its absence is a promise. Whether the login form gives way is the hub's decision.
//
// Cookies of the hub's login, of services, and of other users' servers never reach a user's server, and it cannot set them;
// what else it sets is confined to its own path and host (see jar), and headers by which it would speak for the whole host
// (Clear-Site-Data, Strict-Transport-Security and the like) are dropped. For ten minutes after a session's end its requests come
// without the cookies that speak for it, because single-user servers remember their visitors for up to five. A session that may not be
// at one server any more, and goes on elsewhere, comes there under another name from then on (see aliases). Tokens that programs show in
// headers and URLs are known by their SHA-256, and end in the same two ways (see tokens.go).
//
// # What is use of a server
//
// Answers below 300 and bodies are, and what a client says on a WebSocket, pings and pongs aside. What open pages of JupyterLab ask for by
// themselves is not (see isPoll): it moves no last_activity, the server is told so in the query, and while the server sleeps the proxy
// answers instead of waking it.
//
// # WebSockets
//
// Once an upstream has said 101 a WebSocket is a tunnel: two descriptors that a loop watches with epoll, without a goroutine or a
// buffer while nothing moves; with TLS, what crypto/tls keeps is added. What one side does not take waits with the other. A plain
// tunnel can be taken out of one process and put into the next in the middle of a frame (see parked).
//
// Where servers are at hosts below the hub's (Options.HubOrigin), one that is asked with several cookies _xsrf answers with the end of
// those that are the whole domain's: a page at another host has set them.
//
// # Servers that do not run
//
// In front of our own hub (Options.HubBase) what is asked of a user's server that has no route is answered here, as the hub
// would: 424 to programs, a redirect into the hub to people. The tabs of stopped servers ask on, and cost the hub nothing.
//
// # Everybody's turn
//
// Requests have an owner: a user, a service, a route that is neither's, or at the hub a client's address. Few of one owner's are at work at
// the same time (see turns), they come at a bounded rate (see Bounds), and who is refused is not heard for a while (see refusals). What clients
// make the proxy hold by being slow is bounded in whole; the slowest lose theirs to the others (see budget).
//
// # One proxy after another
//
// Bequeath gives the listeners, the table and the plain tunnels to another process while both serve, and keeps what cannot be
// moved: requests under way and everything over TLS. The heir tells the elders what changes, and they tell it who is active and
// pass on what callers of the API still bring them. Options.Keep and Resume carry plain tunnels over a restart.
//
// # Caveats
//
// HTTP/1 is read by package strict alone, requests and answers, and anything that two programs could read differently is
// refused; TLS and HTTP/2 are Go's. Trailers pass in both directions, a request's when it announces them, as long as they say nothing that
// belongs in a head (see mayTrail). A client that closes its side of the connection has left: what it waits for is given up.
//
// Forwarding itself is behind one method, forwarder.carry. It speaks to upstreams over links that are kept in a pool of each
// upstream's own, in the goroutine that serves the client.
//
// A route that is replaced by one to the same target and uid keeps its connections and tunnels; otherwise, and when it is
// deleted, they are closed after a grace, WebSockets with 1001. The default target of the command line is not saved.
//
// Metrics have configurable-http-proxy's names and are served at /metrics of the API's door, and by MetricsHandler for a
// listener of their own.
package proxy
