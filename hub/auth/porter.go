package auth

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Authenticator begins login conversations; the passwd door, which changes an expired password, is one too.
type Authenticator interface {
	// Begin opens a conversation for whatever name was typed. A refusal is an error of kind Forbidden, Expired or TooMany;
	// then there is no conversation. ctx is for the call alone: the conversation goes on until Close.
	Begin(ctx context.Context, user, remoteHost string) (Conversation, hub.Step, error)
}

// Conversation is one that goes on. It is an alias so that authenticators need not import this package.
type Conversation = interface {
	// Answer gives as many answers as the last step had prompts.
	Answer(ctx context.Context, answers []string) (hub.Step, error)
	Close() error
}

// SessionEnder is told which browser sessions are over. The proxy closes their WebSockets and takes their session cookie for
// absent: a single-user server believes a session for five minutes without asking.
type SessionEnder interface {
	EndSession(ctx context.Context, session string) error
	// EndVisit does the same at one route, and until a time, when the session is over. A proxy that cannot do that says NotFound.
	EndVisit(ctx context.Context, session, routespec string, until time.Time) error
	// EndTokens does the same for tokens, wherever they are shown. They are named as the store names them.
	EndTokens(ctx context.Context, names []string) error
	// AskAboutToken has servers ask anew what a token opens, and closes its WebSockets but those at some routes.
	AskAboutToken(ctx context.Context, name string, stay []string) error
}

// Evictor stops the servers of a user whose account was replaced by another person's of the same name.
type Evictor interface {
	Evict(ctx context.Context, user string) error
}

// Rules are what a reload may change.
type Rules struct {
	Policy *rbac.Policy
	// AdminGroups are groups of the operating system. When there are any, membership at login decides who is an admin.
	AdminGroups []string
	AdminUsers  []string // always admins

	CookieMaxAge       time.Duration // how long a login lasts from now on; 0 means 14 days
	ActivityResolution time.Duration // activity is noted no more often; 0 means 30 s
	// AccountAge is how long it is remembered that an account may be used; 0 means a minute, and less that nobody looks but at the
	// start of a server.
	AccountAge         time.Duration
	DeleteInvalidUsers bool // a user whose account is gone is forgotten
	KeepAuthState      bool // what the authenticator hands over is kept until the next login
}

// complete fills in what is zero.
func (r Rules) complete() *Rules {
	if r.CookieMaxAge == 0 {
		r.CookieMaxAge = 14 * 24 * time.Hour
	}
	if r.ActivityResolution == 0 {
		r.ActivityResolution = 30 * time.Second
	}
	if r.AccountAge == 0 {
		r.AccountAge = time.Minute
	}
	return &r
}

// grace is how long an account is missing before that is believed.
func (r *Rules) grace() time.Duration {
	if r.AccountAge < 0 {
		return time.Minute
	}
	return r.AccountAge
}

// Options are what a porter needs.
type Options struct {
	Store         *store.Store
	Rules         Rules
	Authenticator Authenticator
	Changer       Authenticator // changes an expired password; nil if nothing can
	Sessions      SessionEnder  // nil for nobody
	// Routespec names the proxy's route to what an OAuth client stands for; nil: no proxy is told of ends of visits.
	Routespec func(hub.Client) string
	// TurnedAway is told who may not be any longer where they were, or that it did not succeed yet.
	TurnedAway func(user string, from hub.Client, err error)
	Evictor    Evictor // nil for nobody
	// Momentary knows tokens of the hub's own that stand in no store; nil if there are none.
	Momentary func(value string) (hub.Token, bool)
	Accounts  Accounts // looks again at accounts that are used; nil for nobody
	// Report is told who was shown out because of their account, or that it did not succeed yet.
	Report func(user, why string, err error)

	BaseURL          string // "/" or "/jupyter/"
	PublicURL        string // "https://hub.example.org/"; empty: what the browser's request says
	Hosts            hosts.Hosts
	CookieHostPrefix bool // "__Host-" before the login cookie's name
	Now              func() time.Time
}

// Porter turns requests into actors and guards the rooms. Its methods may be called from any goroutine.
type Porter struct {
	o         Options
	rules     atomic.Pointer[Rules]
	hubURL    string // BaseURL + "hub/"
	key       []byte // of XSRF tokens
	turnstile *turnstile
	parlour   *parlour
	standings *standings
	recent    recent
	asked     asked
	newRules  chan struct{} // one token: there are other rules since TurnAway looked at everybody
}

// New makes a porter. It reads, or makes, its secret in the store.
func New(o Options) (*Porter, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(string, string, error) {}
	}
	if o.TurnedAway == nil {
		o.TurnedAway = func(string, hub.Client, error) {}
	}
	if o.BaseURL == "" {
		o.BaseURL = "/"
	}
	p := &Porter{o: o, hubURL: o.BaseURL + "hub/", turnstile: newTurnstile(o.Store, o.Now), parlour: newParlour(), standings: newStandings(),
		newRules: make(chan struct{}, 1)}
	p.rules.Store(o.Rules.complete())
	return p, o.Store.Update(func(tx *store.Tx) (err error) {
		p.key, err = tx.Secret("xsrf")
		return err
	})
}

// SetRules exchanges the rules; requests under way end under the old ones.
func (p *Porter) SetRules(r Rules) {
	p.rules.Store(r.complete())
	select {
	case p.newRules <- struct{}{}:
	default:
	}
}

// Policy returns the roles and scopes in force.
func (p *Porter) Policy() *rbac.Policy { return p.rules.Load().Policy }

// Browser is the door that the proxy knocks at: tokens and cookies count, and forwarded headers are believed.
func (p *Porter) Browser(next http.Handler) http.Handler { return p.door(browserDoor, next) }

// Tokens is the door for single-user servers and services, which every local process can knock at: tokens alone.
func (p *Porter) Tokens(next http.Handler) http.Handler { return p.door(tokenDoor, next) }

// Peers is the admin's socket: who knocks is known by the uid at the other end, unless a token says otherwise. The server
// must have ConnContext.
func (p *Porter) Peers(next http.Handler) http.Handler { return p.door(peerDoor, next) }

// door attaches the visit and the actor to each request. It refuses nobody: that is Guard's, which knows the row.
func (p *Porter) door(d door, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &Visit{door: d, Scheme: "http", Host: r.Host, Address: hostOnly(r.RemoteAddr)}
		if d == browserDoor {
			v.forwarded(r)
			v.elsewhere = p.o.Hosts.Apart() && !p.o.Hosts.IsHub(v.Host)
			v.public(p.o.PublicURL)
		}
		actor, err := p.identify(r, v)
		v.err = err
		ctx := context.WithValue(r.Context(), visitKey{}, v)
		next.ServeHTTP(w, r.WithContext(WithActor(ctx, actor)))
	})
}

// Guard returns a row's handler behind its plate: the actor that the row's style knows, XSRF, scopes. The handler finds the
// actor in its context. Errors are the hall's to render.
func (p *Porter) Guard(rt Route) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		v := visitOf(r)
		if v.elsewhere && rt.Style != API && !rt.Everywhere {
			return p.sendToHub(w, r)
		}
		actor, err := p.actorFor(rt.Style, r, v)
		if err != nil {
			return err
		}
		if err := p.checkOrigin(r, rt, actor); err != nil {
			return err
		}
		p.noteActivity(actor, rt.Style)
		p.keepSessionCookie(w, r, actor)
		if !rt.NoXSRF {
			if err := p.checkXSRF(r, rt.Style, actor); err != nil {
				return err
			}
		}
		if !rt.Public {
			var about rbac.Resource
			if rt.Resource != nil {
				about = rt.Resource(r)
			}
			if err := actor.Authorize(rt.Scopes, about); err != nil {
				return err
			}
		}
		if actor.Via != FromContext(r.Context()).Via {
			r = r.WithContext(WithActor(r.Context(), actor))
		}
		return rt.Handle(w, r)
	}
}

// actorFor narrows who was attached at the door to what the row's style knows.
func (p *Porter) actorFor(s Style, r *http.Request, v *Visit) (Actor, error) {
	actor := FromContext(r.Context())
	if v.err != nil {
		return Actor{}, v.err
	}
	switch {
	case s == Page && actor.Via == Token:
		return p.byCookie(r, v)
	case s == API && actor.Via == Cookie && strangeContent(r):
		return Actor{}, nil
	}
	return actor, nil
}

// strangeContent reports whether a POST has a content type other than JSON: forms are what other sites can send without
// asking, so at the API a cookie does not count with them (specification 1.1).
func strangeContent(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.Method == http.MethodPost && kind != "" && !strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// noteActivity counts a request as use of its token and session, and as activity of its user, unless it comes from the
// user's own server or only asks for a page of one (specification 1.1 and 4.4).
func (p *Porter) noteActivity(a Actor, s Style) {
	now, resolution := p.o.Now(), p.rules.Load().ActivityResolution
	stale := func(last time.Time) bool { return now.Sub(last) >= resolution }
	if a.Token != nil && stale(a.Token.LastActivity) {
		p.o.Store.TouchToken(a.Token.ID, now)
	}
	if a.Session != nil && stale(a.Session.LastSeen) {
		p.o.Store.TouchSession(a.Session.ID, now)
	}
	quiet := s == Mixed || a.Token != nil && a.Token.ServerToken
	if a.User != nil && !quiet && stale(a.User.LastActivity) {
		p.o.Store.TouchUser(a.User.Name, now)
	}
}

// secure reports whether cookies may only travel over TLS.
func (p *Porter) secure(v *Visit) bool { return v.Scheme == "https" }

// addressOf is the textual form of an address as throttles and PAM_RHOST know it.
func addressOf(a netip.Addr) string {
	if !a.IsValid() {
		return "unknown"
	}
	return a.String()
}
