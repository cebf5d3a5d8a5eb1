package auth

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Whoever may not enter a server or a service any more does not stay in it. What the hub thinks of them is right from the moment of the
// change; but servers keep its answers for minutes, and WebSockets are asked about once. So those who hold tokens for what is closed to
// them lose the tokens, and the proxy turns them away there: its servers have to ask anew, and hear no.
//
// What has to be done is found by comparing tokens with rights, not by remembering what was taken away: a share, a group, a role, or
// a line of the configuration, while the hub was not there as well.

const (
	turnPause = time.Second // before what failed is tried again
	longTurn  = time.Minute
	turning   = 8 // users at one time
)

// MayEnter reports whether rights open what an OAuth client stands for.
func MayEnter(holds rbac.Set, c hub.Client, groups rbac.GroupsOf) bool {
	if c.Service != "" {
		return holds.Allows("access:services", rbac.ServiceResource(c.Service), groups)
	}
	return holds.Allows("access:servers", rbac.ServerResource(c.Server), groups)
}

// TurnAway keeps everybody out of servers and services who may not enter them any more, until ctx ends. What fails is tried again.
func (p *Porter) TurnAway(ctx context.Context) error {
	due, doubted, pause := map[string]bool{}, newDoubted(), turnPause
	again := time.NewTimer(0)
	defer again.Stop()
	for everybody := true; ; {
		select {
		case <-p.o.Store.Narrowed():
		case <-p.newRules:
			everybody = true
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
		err := p.addNarrowed(due, doubted, everybody)
		if err == nil {
			everybody = false
			err = errors.Join(p.turnAwayAll(ctx, due), p.tellOf(ctx, doubted))
		}
		if err == nil {
			pause = turnPause
			if len(doubted.less) > 0 {
				again.Reset(0)
			}
			continue
		}
		again.Reset(pause)
		pause = min(2*pause, longTurn)
	}
}

// addNarrowed adds to the users who are due: all visitors, or those who may hold less than before. With a user's groups rights to their
// servers may go as well, so that their visitors are looked at too.
func (p *Porter) addNarrowed(due map[string]bool, d *doubted, everybody bool) error {
	for _, name := range p.o.Store.TakeEnded() {
		d.ended[name] = true
	}
	lately := map[string]bool{}
	for _, user := range p.o.Store.TakeNarrowed() {
		lately[user] = true
	}
	return p.o.Store.View(func(tx *store.Tx) error {
		for _, owner := range slices.Collect(maps.Keys(lately)) {
			for user := range tx.VisitorsOf(owner) {
				lately[user] = true
			}
		}
		maps.Copy(due, lately)
		if everybody {
			for user := range tx.Visitors() {
				due[user] = true
			}
		}
		return d.add(tx, p.suspects(tx, everybody, slices.Sorted(maps.Keys(lately))))
	})
}

// turnAwayAll looks at those who are due, and takes out whom nothing more is to be done about.
func (p *Porter) turnAwayAll(ctx context.Context, due map[string]bool) error {
	var g errgroup.Group
	g.SetLimit(turning)
	users := slices.Sorted(maps.Keys(due))
	failed := make([]error, len(users))
	for i, user := range users {
		g.Go(func() error {
			failed[i] = p.turnAway(ctx, user)
			return failed[i]
		})
	}
	err := g.Wait()
	for i, user := range users {
		if failed[i] == nil {
			delete(due, user)
		}
	}
	return err
}

// turnAway keeps a user out of what is closed to them. The tokens go between two words to the proxy: as long as they are there, it is
// known what has to be done, whatever ends before; and what a server was told of them in the meantime it has to ask about once more.
func (p *Porter) turnAway(ctx context.Context, user string) error {
	var sessions []hub.Session
	var closed []hub.Client
	err := p.o.Store.View(func(tx *store.Tx) (err error) {
		sessions = tx.Sessions(user)
		closed, err = p.closedTo(tx, user)
		return err
	})
	if err != nil || len(closed) == 0 {
		return err
	}
	if err = p.endVisits(ctx, sessions, closed); err == nil {
		err = p.o.Store.Update(func(tx *store.Tx) error { return p.revoke(tx, user) })
	}
	if err == nil {
		err = p.endVisits(ctx, sessions, closed)
	}
	for _, c := range closed {
		p.o.TurnedAway(user, c, err)
	}
	return err
}

// closedTo returns the OAuth clients that a user has tokens for and may not enter.
func (p *Porter) closedTo(tx *store.Tx, user string) (closed []hub.Client, err error) {
	owner := hub.Owner{Kind: hub.OwnerUser, Name: user}
	holds, err := Holds(tx, p.Policy(), owner)
	if hub.KindOf(err) == hub.NotFound {
		return nil, nil // with everything of theirs
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{"": true}
	for _, t := range tx.Tokens(owner) {
		if seen[t.Client] {
			continue
		}
		seen[t.Client] = true
		c, err := tx.Client(t.Client)
		if err != nil {
			return nil, err
		}
		if !MayEnter(holds, c, GroupsIn(tx)) {
			closed = append(closed, c)
		}
	}
	return closed, nil
}

// revoke takes a user's tokens for what is closed to them. What was given back meanwhile is not.
func (p *Porter) revoke(tx *store.Tx, user string) error {
	closed, err := p.closedTo(tx, user)
	if err != nil {
		return err
	}
	for _, c := range closed {
		if err := tx.DeleteOwnerTokensOfClient(hub.Owner{Kind: hub.OwnerUser, Name: user}, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// endVisits has the proxy turn sessions away. One that knows no such thing leaves it to the servers, which ask again by themselves.
func (p *Porter) endVisits(ctx context.Context, sessions []hub.Session, at []hub.Client) error {
	if p.o.Sessions == nil || p.o.Routespec == nil {
		return nil
	}
	for _, c := range at {
		for _, s := range sessions {
			err := p.o.Sessions.EndVisit(ctx, s.ID, p.o.Routespec(c), s.Expires)
			if err != nil && hub.KindOf(err) != hub.NotFound {
				return err
			}
		}
	}
	return nil
}
