package api

import (
	"encoding/json"
	"regexp"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Options of the room. A zero duration or number means the default beside it.
type Options struct {
	Store    *store.Store
	Workshop Workshop
	Limiter  Limiter
	Proxy    Proxy
	Daemon   Daemon
	Doorman  Doorman
	Policy   func() *rbac.Policy // the one in force; a reload replaces it

	BaseURL      string // leading and trailing slash
	Hosts        hosts.Hosts
	PublicOrigin string         // "https://hub.example.org" of the hub, where it is configured
	SlowSpawn    time.Duration  // how long a start keeps its client: 10 s
	SlowStop     time.Duration  // how long a stop does: 10 s
	PageLimit    int            // api_page_default_limit: 50
	PageMax      int            // api_page_max_limit: 200
	TokenMax     time.Duration  // token_expires_in_max_seconds; 0: no limit
	NamedServers bool           // allow_named_servers
	InsecureHTTP bool           // insecure_http: passwords may come over plain HTTP from other machines
	Names        *regexp.Regexp // what names of users match (username_pattern); nil: any
	Parts        Parts
	Unreadable   func(user string, err error) // is told whose auth state does not open; nil for nobody
	Now          func() time.Time             // nil means time.Now
}

// Parts names what does the work, for GET /info.
type Parts struct{ Spawner, Authenticator client.Component }

// Room answers the API.
type Room struct {
	Options
	watchers watchers

	documented sync.Once // guards openapi, the document of the rows
	openapi    json.RawMessage
}

// New opens the room.
func New(o Options) *Room {
	o.SlowSpawn = or(o.SlowSpawn, 10*time.Second)
	o.SlowStop = or(o.SlowStop, 10*time.Second)
	o.PageLimit = or(o.PageLimit, 50)
	o.PageMax = or(o.PageMax, 200)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Unreadable == nil {
		o.Unreadable = func(string, error) {}
	}
	return &Room{Options: o, watchers: watchers{open: map[hub.Owner]int{}}}
}

func or[T int | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}
