package auth

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/varlink"
)

// LocalAdmin is the name under which root speaks at the admin socket. It is a service that exists nowhere else and holds the
// admin role; no other service may be called so.
const LocalAdmin = "local-admin"

// identify finds out who makes a request: by token, else by what the door knows. A token that is not good falls through
// (specification 1.1). An error means that the store could not say; somebody who is nobody is no error.
func (p *Porter) identify(r *http.Request, v *Visit) (Actor, error) {
	if value, ok := bearer(r.Header.Get("Authorization")); ok {
		actor, err := p.byToken(r.Context(), value)
		if actor.Token != nil && asksWho(r) {
			p.asked.note(actor.Token.ID, p.o.Now())
		}
		if err != nil || !actor.Anonymous() {
			return actor, err
		}
	}
	switch v.door {
	case browserDoor:
		return p.byCookie(r, v)
	case peerDoor:
		return p.byPeer(r.Context())
	}
	return Actor{}, nil
}

// bearer takes the token out of an Authorization header: "token T" or "Bearer T", the scheme in any case, and nothing else.
func bearer(header string) (string, bool) {
	scheme, value, ok := strings.Cut(header, " ")
	value = strings.Trim(value, " ")
	known := strings.EqualFold(scheme, "token") || strings.EqualFold(scheme, "bearer")
	return value, ok && known && value != "" && !strings.ContainsAny(value, " \t")
}

func (p *Porter) byToken(ctx context.Context, value string) (a Actor, err error) {
	now := p.stateNow()
	if a, known := p.recent.recall(p.o.Store, value, now, p.o.Now()); known {
		return p.unlessGone(ctx, a), nil
	}
	err = p.ask(ctx, &a, func(tx *store.Tx) error {
		t, err := p.token(tx, value)
		if err != nil {
			return err
		}
		a, err = p.actor(tx, t.Owner)
		if err != nil {
			return err
		}
		client, err := clientOf(tx, t)
		if err != nil {
			return err
		}
		a.Via, a.Token = Token, &t
		a.Scopes = now.policy.Token(t, client, a.Scopes, GroupsIn(tx))
		if t.ID != 0 { // it stands in the store
			p.recent.learn(value, now, a)
		}
		return nil
	})
	return a, err
}

// token finds a token in the store, or among those that the hub has made for a moment.
func (p *Porter) token(tx *store.Tx, value string) (hub.Token, error) {
	t, err := tx.TokenByValue(value)
	if hub.KindOf(err) == hub.NotFound && p.o.Momentary != nil {
		if momentary, is := p.o.Momentary(value); is {
			return momentary, nil
		}
	}
	return t, err
}

// clientOf returns the OAuth client that a token was issued to, nil for a plain token.
func clientOf(tx *store.Tx, t hub.Token) (*hub.Client, error) {
	if t.Client == "" {
		return nil, nil
	}
	c, err := tx.Client(t.Client)
	return &c, err
}

// byCookie knows a browser by its session. One that brings sessions of two users is nobody's: one was planted, and who asks
// must not act as its owner. At a host of a user's, where their pages can set any cookie, none counts.
func (p *Porter) byCookie(r *http.Request, v *Visit) (a Actor, err error) {
	if v.door != browserDoor || v.elsewhere {
		return Actor{}, nil
	}
	err = p.ask(r.Context(), &a, func(tx *store.Tx) error {
		brought, err := p.sessionsOf(tx, r)
		if err != nil || len(brought) == 0 {
			return err
		}
		s := brought[0]
		if slices.ContainsFunc(brought, func(o hub.Session) bool { return o.User != s.User }) {
			return nil
		}
		a, err = p.actor(tx, hub.Owner{Kind: hub.OwnerUser, Name: s.User})
		a.Via, a.Session = Cookie, &s
		return err
	})
	return a, err
}

// byPeer knows root as LocalAdmin, and anybody else as the user whose account had that uid at the last login.
func (p *Porter) byPeer(ctx context.Context) (a Actor, err error) {
	peer, ok := ctx.Value(peerKey{}).(varlink.Cred)
	if !ok {
		return Actor{}, nil
	}
	if peer.UID == 0 {
		s := hub.Service{Name: LocalAdmin, Admin: true}
		owner := hub.Owner{Kind: hub.OwnerService, Name: LocalAdmin}
		return Actor{Owner: owner, Service: &s, Scopes: p.Policy().Service(s), Via: Peer, Groups: p.groupsOf}, nil
	}
	err = p.ask(ctx, &a, func(tx *store.Tx) error {
		u, err := tx.UserByUID(int64(peer.UID))
		if err != nil {
			return err
		}
		a, err = p.actor(tx, hub.Owner{Kind: hub.OwnerUser, Name: u.Name})
		a.Via = Peer
		return err
	})
	return a, err
}

// ask lets fn find out about a. What is not found leaves nobody, and so does an account that may not be used.
func (p *Porter) ask(ctx context.Context, a *Actor, fn func(*store.Tx) error) error {
	err := p.o.Store.View(fn)
	if err != nil {
		*a = Actor{}
	}
	if hub.KindOf(err) == hub.NotFound {
		return nil
	}
	*a = p.unlessGone(ctx, *a)
	return err
}

// unlessGone makes nobody of a user whose account may not be used.
func (p *Porter) unlessGone(ctx context.Context, a Actor) Actor {
	if a.User != nil && !p.stands(ctx, *a.User) {
		return Actor{}
	}
	return a
}

// actor returns an owner with all that they hold.
func (p *Porter) actor(tx *store.Tx, o hub.Owner) (Actor, error) {
	a := Actor{Owner: o, Groups: p.groupsOf}
	if o.Kind == hub.OwnerService {
		s, err := tx.Service(o.Name)
		a.Service, a.Scopes = &s, p.Policy().Service(s)
		return a, err
	}
	u, err := tx.User(o.Name)
	if err != nil {
		return Actor{}, err
	}
	a.User, a.Scopes = &u, p.Policy().User(u, tx.GroupRoles(u.Groups), tx.SharedScopes(u.Name, u.Groups))
	return a, nil
}

// Holds returns all that an owner holds now: the measure for what a token of theirs may be granted.
func Holds(tx *store.Tx, policy *rbac.Policy, o hub.Owner) (rbac.Set, error) {
	if o.Kind == hub.OwnerService {
		s, err := tx.Service(o.Name)
		return policy.Service(s), err
	}
	u, err := tx.User(o.Name)
	return policy.User(u, tx.GroupRoles(u.Groups), tx.SharedScopes(u.Name, u.Groups)), err
}

// GroupsIn answers for group filters inside a transaction.
func GroupsIn(tx *store.Tx) rbac.GroupsOf {
	return func(user string) []string {
		u, err := tx.User(user)
		if err != nil {
			return nil // nobody is in no group
		}
		return u.Groups
	}
}

// groupsOf answers for group filters outside of a transaction.
func (p *Porter) groupsOf(user string) (groups []string) {
	err := p.o.Store.View(func(tx *store.Tx) error {
		groups = GroupsIn(tx)(user)
		return nil
	})
	if err != nil {
		return nil // who cannot be looked up is in no group
	}
	return groups
}

type peerKey struct{}

// ConnContext notes who is at the other end of a connection (SO_PEERCRED). It is the http.Server.ConnContext of the admin
// socket's server.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, varlink.PeerOf(c))
}
