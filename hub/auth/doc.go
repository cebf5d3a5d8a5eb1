// Package auth is the porter: it turns a request into an actor, and lets nobody past a door plate that they may not pass.
//
// It owns who is asking (API tokens, browser sessions, peers of the admin socket), what they may do now (their token's
// scopes within their own), XSRF, login with its conversations and its throttle, sessions and their cookies, logout, and
// where a browser may be sent afterwards (next=).
//
// It must not know pages, JSON models or what a route does; nor how a password is checked: that is behind Authenticator.
//
// Way in: Porter.Browser, Tokens and Peers, one a door, attach the actor and refuse nothing; Porter.Guard makes a handler of
// a Route, and refuses there. Run shows out whose account does not stay, and TurnAway who may not be where they are. Way out: FromContext; errors of package hub, which the hall renders.
//
// Caveats: the hub is reached by the proxy alone, so X-Forwarded-* are believed at the browser's door and nowhere else. At
// the token door cookies do not exist. Where users have hosts below the hub's, cookies count at the hub's host alone, and what
// changes something is refused to pages of other hosts (see checkOrigin). Refused looks like absent: see Actor.Authorize.
package auth
