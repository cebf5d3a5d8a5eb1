package api

import (
	"context"
	"encoding/json"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// Workshop runs servers. *spawner.Manager is one.
type Workshop interface {
	// Create makes a stopped named server, by the rules for names: Invalid, Conflict.
	Create(ref hub.ServerRef, displayName string) (hub.Live, error)
	// Start stores the wish and returns at once. Nil options mean those of the last start. It is no error while a start is
	// under way; Conflict when the server runs or is being stopped.
	Start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Live, error)
	// Wait returns when nothing is pending any more, or ctx ends; after a failed start with an error that has a Cause.
	Wait(ctx context.Context, ref hub.ServerRef) (hub.Live, error)
	Stop(ctx context.Context, ref hub.ServerRef) (hub.Live, error) // returns at once
	Restart(ctx context.Context, ref hub.ServerRef) error          // returns at once, with the server pending; NotRunning
	Remove(ctx context.Context, ref hub.ServerRef) error           // stops, then forgets; goes on when ctx ends
	Server(ref hub.ServerRef) (hub.Live, error)
	Servers(user string) []hub.Live // those that have a record, running or not
	Active() []hub.Live
	Watch(ctx context.Context, ref hub.ServerRef) (<-chan hub.Event, error)
	Usage(ctx context.Context) (map[hub.ServerRef]hub.Unit, error)
	// Wake returns when a server is awake; Forbidden unless the key is the one that its route has.
	Wake(ctx context.Context, ref hub.ServerRef, key string) error
}

// Limiter changes the limits of servers that run. *systemdspawner.Client is one. Nil limits are those of root's file again.
type Limiter interface {
	Limit(ctx context.Context, ref hub.ServerRef, limits *hub.Limits, forGood bool) (hub.Limits, error)
}

// Proxy is the table of routes. *proxy/client.Client is one.
type Proxy interface {
	Routes(ctx context.Context) ([]hub.Route, error)
}

// Daemon is the process that we are in.
type Daemon interface {
	// Reload reads the configuration again everywhere, or only checks it, and says what changes: a sentence a change.
	Reload(ctx context.Context, check bool) (changes []string, err error)
	// Resync compares the proxy's routes with what runs, and mends them.
	Resync(ctx context.Context) error
	// Shutdown ends the process soon; stopServers is nil where the caller did not say.
	Shutdown(stopServers *bool)
}

// Doorman knows who comes in, and ends all that somebody comes in with. *auth.Porter is one.
type Doorman interface {
	LockOut(ctx context.Context, user string) error
	// CheckAccounts looks at the accounts of users again, and shows out whose may not be used any more.
	CheckAccounts(ctx context.Context, users []string) (ended int, err error)
	// Vouch knows somebody by what is typed, for one request. Whatever is wrong with it is Forbidden, TooMany or Unavailable.
	Vouch(r *http.Request, a auth.Attempt) (auth.Actor, error)
	// CheckXSRF is for rows that check at a moment of their own.
	CheckXSRF(r *http.Request, style auth.Style) error
	// SessionByCookie knows a browser's session by the name and value of its login cookie: NotFound.
	SessionByCookie(name, value string) (hub.Session, error)
}
