package main

import (
	"context"
	"errors"
	"net"
	"time"
)

// busyConnections ask without a pause while the proxy is replaced.
const busyConnections = 64

// measureUpgrade replaces our proxy under load, with many WebSockets open: by a reload, and by a restart.
func (s *stage) measureUpgrade(ctx context.Context) error {
	program := fetched("debian/usr/sbin/nginx")
	if !s.there("nginx, nor is any proxy measured", program) {
		return errMissing
	}
	if err := s.startUnits(ctx, nginxAs(program, upstreamUnit, upstreamConfig, nil)); err != nil {
		return err
	}
	if err := s.startEcho(ctx); err != nil {
		return err
	}
	if err := s.table().Add(ctx, ownLane); err != nil {
		return err
	}
	for _, how := range []string{"reload", "restart"} {
		if err := s.upgrade(ctx, how); err != nil {
			return err
		}
	}
	if err := errors.Join(s.table().Delete(ctx, ownLane.Spec), s.table().Delete(ctx, socketRoute.Spec)); err != nil {
		return err
	}
	return s.systemctl(ctx, []string{"stop", upstreamUnit, echoUnit})
}

// upgrade replaces the proxy once, and notes who has noticed.
func (s *stage) upgrade(ctx context.Context, how string) error {
	own := lane{name: ours, unit: proxyUnit, url: s.own.url + ownLane.Spec}
	sockets, err := s.openMany(ctx, own, greet)
	if err != nil {
		return err
	}
	defer func() {
		for _, c := range sockets {
			c.Close()
		}
	}()
	type outcome struct {
		result
		err error
	}
	busy := make(chan outcome, 1)
	go func() {
		r, err := s.stress(ctx, load{url: own.url, connections: busyConnections, token: "none", time: 2 * s.size.load})
		busy <- outcome{r, err}
	}()
	err = s.pause(ctx)
	if err == nil {
		err = s.systemctl(ctx, []string{how, proxyUnit})
	}
	loaded := <-busy
	if err := errors.Join(err, loaded.err); err != nil {
		return err
	}
	s.scores.note("upgrade-"+how+"-failed", ours, float64(loaded.Refused+loaded.Broken))
	s.scores.note("upgrade-"+how+"-longest", ours, loaded.Max/1e3)
	s.scores.note("upgrade-"+how+"-dropped", ours, float64(dropped(sockets)))
	return nil
}

// dropped counts the WebSockets over which nothing comes back.
func dropped(sockets []net.Conn) (n int) {
	for _, c := range sockets {
		c.SetDeadline(time.Now().Add(patience))
		if talk(c, c) != nil {
			n++
		}
	}
	return n
}
