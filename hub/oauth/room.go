package oauth

import (
	"net/http"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Confirmer asks a person whether a client may have what it asks for. The form posts to the address it came from, with the
// XSRF token and one hidden field "scopes" for each of scopes; lines explain those that are not a matter of course.
type Confirmer interface {
	RenderConfirm(w http.ResponseWriter, r *http.Request, c hub.Client, lines []rbac.Description, scopes []string) error
}

// Options of the room.
type Options struct {
	Store       *store.Store
	Policy      func() *rbac.Policy // the one in force; a reload replaces it
	Pages       Confirmer
	TokenTTL    time.Duration    // oauth_token_expires_in; 0 means 14 days
	RequirePKCE bool             // oauth_require_pkce; keeps out clients before JupyterHub 6
	Now         func() time.Time // nil means time.Now
	// Entered is told who enters a server of somebody else's that was not shared with them, for the journal.
	Entered func(server hub.ServerRef, v hub.Visit)
}

// codeTTL is how long a client has to fetch its token: JupyterHub's 300 s, half of RFC 6749's ten minutes.
const codeTTL = 5 * time.Minute

// Room answers authorize and token.
type Room struct {
	store       *store.Store
	policy      func() *rbac.Policy
	pages       Confirmer
	ttl         time.Duration
	requirePKCE bool
	now         func() time.Time
	entered     func(hub.ServerRef, hub.Visit)
}

// New opens the room.
func New(o Options) *Room {
	room := &Room{store: o.Store, policy: o.Policy, pages: o.Pages, ttl: o.TokenTTL, requirePKCE: o.RequirePKCE, now: o.Now, entered: o.Entered}
	if room.entered == nil {
		room.entered = func(hub.ServerRef, hub.Visit) {}
	}
	if room.ttl <= 0 {
		room.ttl = 14 * 24 * time.Hour
	}
	if room.now == nil {
		room.now = time.Now
	}
	return room
}

// Pages returns the rows that browsers visit: cookies alone identify, refusals are pages.
func (room *Room) Pages() []auth.Route {
	signedIn := []string{auth.Authenticated}
	return []auth.Route{
		{Method: http.MethodGet, Pattern: "/hub/api/oauth2/authorize", Scopes: signedIn, Style: auth.Page, Changes: true, Handle: room.authorize},
		{Method: http.MethodPost, Pattern: "/hub/api/oauth2/authorize", Scopes: signedIn, Style: auth.Page, Handle: room.confirm},
	}
}

// API returns the row that clients call. It is public because a client proves itself in the body.
func (room *Room) API() []auth.Route {
	return []auth.Route{
		{Method: http.MethodPost, Pattern: "/hub/api/oauth2/token", Public: true, NoXSRF: true, Handle: room.exchange},
	}
}
