// Command reverseproxy is what Go's standard library makes of a proxy by itself: httputil.ReverseProxy behind net/http's server,
// with the headers that a hub's proxy adds and connections that are kept. It is what our own is compared with.
//
// It owns nothing else, and must not become better than that.
//
// Way in: LISTEN ROUTE=TARGET... on its command line; the longest route that a path begins with wins. Way out: the targets.
//
// Caveat: it trusts everybody.
package main
