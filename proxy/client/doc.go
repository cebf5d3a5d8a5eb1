// Package client edits a proxy's table of routes. It owns the mapping between hub.Route and what is said on the wire, which is
// configurable-http-proxy's REST API: jupyterhub-proxy speaks it, and so does configurable-http-proxy itself.
//
// It must not know why a route exists; the workshop derives the routes and reconciles them.
//
// Way in: New, with the path of a Unix socket or with a URL. Way out: Add, Delete, Routes, EndSession, EndVisit, EndTokens, AskAboutToken, Reload.
//
// Caveats: a routespec begins and ends with a slash and is escaped as in URLs; the API has keys that are decoded and without
// the last slash. Routes that somebody else added (without "jupyterhub" in their data) are never listed. While the proxy is
// away calls are tried again for up to 30 s, or as long as their context allows, so they do not return at once.
// configurable-http-proxy knows neither sessions nor reloads: EndSession, EndVisit, EndTokens, AskAboutToken and Reload say NotFound there; and it ignores
// the uid of a route.
package client
