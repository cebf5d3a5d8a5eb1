package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/proxy"
)

// tunnelsName is what kept WebSockets are called in systemd's file-descriptor store.
const tunnelsName = "tunnels"

// reign is the time of one proxy between the one that it follows and the one that follows it.
type reign struct {
	*daemon.Daemon
	proxy   *proxy.Proxy
	before  *predecessor // nil: it begins with systemd
	doors   []net.Listener
	api     net.Listener
	control *net.UnixListener // nil: nobody can follow
	drain   func() time.Duration
}

// serve works until ctx ends, or until another proxy has followed and nobody is left here. The doors go first, then the table
// is saved.
func (r *reign) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, ctx := errgroup.WithContext(ctx)
	r.proxy.Resume(r.Stored(tunnelsName))
	for _, l := range r.doors {
		work.Go(func() error { return r.proxy.Serve(ctx, l) })
	}
	work.Go(func() error { return r.proxy.ServeAPI(ctx, r.api) })
	work.Go(func() error { return r.proxy.Run(ctx) })
	if r.before != nil {
		if err := r.proxy.Succeed(); err != nil {
			stop()
			return errors.Join(err, work.Wait())
		}
	}
	watched, unwatched := context.WithCancel(ctx)
	work.Go(func() error {
		defer unwatched()
		return r.Watchdog(watched, r.proxy.Alive)
	})
	r.Ready("%s", r.status())
	work.Go(func() error { return r.tellStatus(watched) })
	_ = r.before.tell(nil)
	r.before = nil
	if r.control != nil {
		work.Go(func() error { return r.heirs(ctx, unwatched, stop) })
	}
	return work.Wait()
}

// statusEvery is how long `systemctl status` may be behind.
const statusEvery = 5 * time.Second

// status is the line that `systemctl status` shows.
func (r *reign) status() string {
	said := fmt.Sprintf("serving %s", r.doors[0].Addr())
	processes, connections, webSockets := r.proxy.Elders()
	if processes == 0 {
		return said
	}
	return fmt.Sprintf("%s; %d processes before this one keep %d connections, of which %d are WebSockets", said, processes, connections, webSockets)
}

// tellStatus keeps that line up to date as long as this process speaks for the unit, and others are left before it. None comes
// later: an idle proxy is woken by nobody.
func (r *reign) tellStatus(ctx context.Context) error {
	look := time.NewTicker(statusEvery)
	defer look.Stop()
	for last := ""; ; {
		left, _, _ := r.proxy.Elders()
		if now := r.status(); now != last {
			last = now
			r.Status("%s", now)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// heirs lets others follow until one has, and then ends this one when nobody is left or it took too long.
func (r *reign) heirs(ctx context.Context, unwatched, stop func()) error {
	over := context.AfterFunc(ctx, func() { r.control.Close() })
	defer over()
	for ctx.Err() == nil {
		conn, err := r.control.AcceptUnix()
		if err != nil {
			return nil // closed: everything ends
		}
		// From the crowning on systemd hears the heir's signs of life, and not ours.
		crown := func(pid int) error {
			err := r.Succeeded(pid)
			if err == nil {
				unwatched()
			}
			return err
		}
		err = r.proxy.Bequeath(ctx, conn, proxy.Succession{Doors: r.allDoors(), Args: os.Args[1:], Env: r.Inherited(), Fit: r.fit(), Crown: crown, Stop: stop})
		if err != nil {
			r.Log.Error().Err(err).Msg("no other proxy followed, going on")
			continue
		}
		r.control.Close()
		r.Log.Info().Stringer("at_most", r.drain()).Msg("another proxy has followed, ending with the last connection")
		enough, cancel := context.WithTimeout(ctx, r.drain())
		defer cancel()
		r.proxy.Emptied(enough)
		stop()
	}
	return nil
}

// fit is how a successor is judged. By hand, without systemd, anybody's child will do.
func (r *reign) fit() func(int) error {
	if len(r.Inherited()) == 0 {
		return nil
	}
	return fit
}

func (r *reign) allDoors() []proxy.Door {
	all := []proxy.Door{{Name: "api", Listener: r.api}, {Name: controlName, Listener: r.control}}
	for _, l := range r.doors {
		all = append(all, proxy.Door{Name: "http", Listener: l})
	}
	return all
}
