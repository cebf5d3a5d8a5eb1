// Package client is the Go client of the hub's REST API and the home of its wire types.
//
// It owns the shapes of the JSON that crosses the API (user, server, token, group, service, share, page) and how to
// call it: over a URL with a token, or over a Unix socket such as admin.sock, where the kernel says who we are. The API
// itself encodes with these types, so the two sides cannot drift apart.
//
// It must not know what the hub does with a request: no store, no scopes, no spawner.
//
// Way in: New, then one method for one endpoint. Way out: every refusal is a *hub.Error of the kind that the hub's own
// table maps to that status, with the hub's sentence as its text.
//
// Caveats: which keys of a model are there depends on what its reader may see (JupyterHub's rule), so they are Fields,
// which know "absent" from "null". A reply of 202 to a start or a stop means that it is under way, not that it is done.
package client
