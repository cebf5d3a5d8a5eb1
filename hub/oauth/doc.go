// Package oauth is the room /hub/api/oauth2: here we are the provider, and users' servers and services are the clients.
//
// It owns the authorization code grant of RFC 6749 (section 4.1) with PKCE (RFC 7636), as JupyterHub speaks it: which
// redirect a code may take, what a client is granted, when a person is asked first, and the exchange of a code for a token.
//
// It must not know how somebody logged in (the porter does), how the question looks (hub/web renders it) or what a scope
// means (hub/rbac).
//
// Way in: Pages and API, rows for the hall. Way out: codes and tokens in hub/store, redirects to the client.
//
// Caveats. A redirect URI is compared byte by byte with the registered one and usually is a bare path. A code is burned by a
// good exchange and by nothing else. What goes wrong before the client and its redirect URI are sure is told to the
// person; what goes wrong after is told to the client by a redirect (RFC 6749, 4.1.2.1). A granted scope is never more
// than the person holds, at each use of the token again (rbac.Policy.Token).
package oauth
