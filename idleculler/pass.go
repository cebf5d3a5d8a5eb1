package idleculler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Hub is what a pass asks of a hub; *client.Client is one.
type Hub interface {
	EachUser(ctx context.Context, q client.UserQuery, f func(client.User) error) error
	StopServer(ctx context.Context, ref hub.ServerRef, remove bool) (stopped bool, err error)
	DeleteUser(ctx context.Context, name string) error
}

// Pass looks at every user once. The listing comes first and as a whole: if it fails, nothing is stopped. What goes wrong
// with one user is in the report and hinders no other.
func Pass(ctx context.Context, h Hub, o Options) (Report, error) {
	p := &pass{hub: h, options: o, now: o.Now()}
	users, err := p.list(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("list users: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(max(o.Concurrency, 1))
	if o.Concurrency == 0 {
		g.SetLimit(-1)
	}
	for _, u := range users {
		g.Go(func() error {
			p.user(ctx, u)
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error
	return p.report, ctx.Err()
}

// pass is one pass under way.
type pass struct {
	hub     Hub
	options Options
	now     time.Time // one moment for all, so that the order of the list decides nothing

	mu     sync.Mutex // guards report
	report Report
}

// list returns the users that may have to do with a pass: those with a ready server, and for CullUsers those with none.
// A user whose server starts or stops meanwhile can be in both lists; the first counts.
func (p *pass) list(ctx context.Context) ([]client.User, error) {
	states := []string{"ready"}
	if p.options.CullUsers {
		states = []string{"inactive", "ready"}
	}
	seen := map[string]bool{}
	var users []client.User
	for _, state := range states {
		q := client.UserQuery{State: state, Limit: p.options.PageSize}
		err := p.hub.EachUser(ctx, q, func(u client.User) error {
			if !seen[u.Name] {
				seen[u.Name] = true
				users = append(users, u)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	p.report.Users = len(users)
	return users, nil
}

// user stops what is idle, and then removes the user if nothing runs any more and the options say so.
func (p *pass) user(ctx context.Context, u client.User) {
	alive := 0
	for _, name := range slices.Sorted(maps.Keys(u.Servers.Value)) {
		if !p.server(ctx, u.Name, name, u.Servers.Value[name]) {
			alive++
		}
	}
	if alive > 0 || !p.options.user(u, p.now).cull() {
		return
	}
	ctx, cancel := p.limit(ctx)
	defer cancel()
	err := p.hub.DeleteUser(ctx, u.Name)
	p.note(func(r *Report) {
		if err != nil {
			r.fail("remove user %s: %w", u.Name, err)
			return
		}
		r.Removed++
	})
}

// server stops a server if it is to be culled, and reports whether it has stopped.
func (p *pass) server(ctx context.Context, user, name string, s client.Server) (stopped bool) {
	v := p.options.server(s, name, p.now)
	p.note(func(r *Report) {
		r.Servers++
		if v == pending {
			r.Pending++
		}
	})
	if !v.cull() {
		return false
	}
	ctx, cancel := p.limit(ctx)
	defer cancel()
	ref := hub.ServerRef{User: user, Server: name}
	stopped, err := p.hub.StopServer(ctx, ref, name != "" && p.options.RemoveNamedServers)
	p.note(func(r *Report) {
		switch {
		case err != nil:
			r.fail("stop server %s: %w", ref, err)
		case stopped:
			r.Stopped++
		default:
			r.Stopping++
		}
	})
	return stopped && err == nil
}

func (p *pass) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.options.RequestTimeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.options.RequestTimeout)
}

func (p *pass) note(f func(*Report)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.report)
}
