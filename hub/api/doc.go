// Package api is the room /hub/api: JupyterHub's REST API as its real clients use it, and the few endpoints that are ours.
//
// It owns the translation between HTTP and the house: decoding of requests, the models that replies show and which of their
// keys their reader may see, pagination, the progress stream.
//
// It must not know who asks and whether they may (the row's plate and the porter say so), how a server comes to be (the
// workshop does), or where a route is written (the proxy does).
//
// Way in: Room.Routes, one row an endpoint; and for pages whose forms do the same, NewToken, RevokeToken, AddUsers,
// RemoveUser, SetAdmin, Share, Unshare, LeaveShare, NewShareCode, RevokeShareCode, Offer and AcceptShare, which check what they are told
// and leave the plate to the caller. Way out: hub/store for what is remembered, Workshop for servers, Proxy for routes, Daemon
// for the process itself; wire types of hub/client.
//
// Caveats. Refused looks like absent, so no handler asks whether something exists before its row's plate was passed. Bodies
// are JSON whatever their type says. Starting and stopping answer 201 or 204 when they end within the time that a client
// waits, and 202 when they go on in the background. Names in paths arrive decoded; names in URLs are escaped by pathOf.
package api
