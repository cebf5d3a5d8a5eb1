package proxy

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// elders are the proxies that this one follows and that still have connections: those over TLS, which cannot be moved. What
// changes here is told to them, so that a tunnel is closed wherever it is.
type elders struct {
	proxy *Proxy

	mu    sync.Mutex // guards the fields below
	wires []*wire    // the oldest first
	gone  sync.WaitGroup
	ended bool // nothing new is adopted any more; what comes is kept
	kept  []parked
}

// mostElders is how many are let live at one time. The oldest ends when another comes to them.
const mostElders = 8

func (es *elders) count() int {
	es.mu.Lock()
	defer es.mu.Unlock()
	return len(es.wires)
}

// remains are the connections of clients to a process that another follows, and how many of them are WebSockets.
type remains struct {
	Connections int `json:"connections"`
	Tunnels     int `json:"tunnels"`
}

// remains is what all elders together have said last.
func (es *elders) remains() (sum remains) {
	for _, l := range es.all() {
		if one := l.left.Load(); one != nil {
			sum.Connections += one.Connections
			sum.Tunnels += one.Tunnels
		}
	}
	return sum
}

func (es *elders) all() []*wire {
	es.mu.Lock()
	defer es.mu.Unlock()
	return slices.Clone(es.wires)
}

// add listens to an elder until it is gone.
func (es *elders) add(l *wire) {
	es.mu.Lock()
	es.wires = append(es.wires, l)
	es.gone.Add(1)
	es.mu.Unlock()
	_ = l.send(message{Do: doCount}) // one that is gone has nothing left
	go func() {
		defer es.gone.Done()
		es.listen(l)
		l.close()
		es.proxy.loads.left(l)
		es.mu.Lock()
		defer es.mu.Unlock()
		es.wires = slices.DeleteFunc(es.wires, func(other *wire) bool { return other == l })
	}()
}

func (es *elders) listen(l *wire) {
	for {
		m, files, err := l.receive()
		if err != nil {
			return
		}
		switch m.Do {
		case doDone:
			l.answered(m)
		case doLeft:
			l.left.Store(&m.Left)
		case doOpen:
			es.proxy.loads.heard(l, m.Open)
		case doActive:
			es.proxy.wereActive(m.Active)
		case doKept:
			es.take(files)
			continue // the files are gone
		case doCaller:
			es.proxy.admit(files)
			continue
		}
		closeAll(files)
	}
}

// take adopts the tunnels of a packet, or keeps them when this proxy is about to end itself.
func (es *elders) take(files []*os.File) {
	all, err := unpack(files)
	if err != nil {
		es.proxy.options.Log.Error().Err(err).Msg("WebSockets of the proxy before this one are lost")
	}
	es.mu.Lock()
	late := es.ended
	if late {
		es.kept = append(es.kept, all...)
	}
	es.mu.Unlock()
	if !late {
		es.proxy.adoptAll(all)
	}
}

// tell passes a change on and waits, for a moment, until it holds everywhere.
func (es *elders) tell(m message) {
	var told sync.WaitGroup
	for _, l := range es.all() {
		told.Go(func() {
			if err := l.ask(m); err != nil {
				es.proxy.options.Log.Warn().Err(err).Msg("a proxy that still has connections was not told of a change")
			}
		})
	}
	told.Wait()
}

// stop lets all elders end, as long as ctx lasts, and returns the tunnels that they gave back.
func (es *elders) stop(ctx context.Context) []parked {
	es.mu.Lock()
	es.ended = true
	es.mu.Unlock()
	for _, l := range es.all() {
		if err := l.send(message{Do: doStop}); err != nil {
			l.close()
		}
	}
	gone := make(chan struct{})
	go func() {
		es.gone.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	kept := es.kept
	es.kept = nil
	return kept
}

// forget leaves the elders to the heir, who has copies of the wires. Those of whom it has none end, as they do with nobody to follow.
func (es *elders) forget(over []*wire) {
	for _, l := range over {
		event := es.proxy.options.Log.Warn().Int("at_most", mostElders)
		if left := l.left.Load(); left != nil {
			event.Int("connections", left.Connections).Int("websockets", left.Tunnels)
		}
		event.Msg("too many processes are left of earlier reloads, the oldest ends now with its connections")
	}
	for _, l := range es.all() {
		l.close()
	}
}

// bequeath returns copies of the wires, for the heir, and the wires of the oldest for whom there is no room beside this proxy.
func (es *elders) bequeath() (files []*os.File, over []*wire) {
	wires := es.all()
	most := max(0, len(wires)-mostElders+1)
	for _, l := range wires[most:] {
		if f, err := l.file(); err == nil {
			files = append(files, f)
		}
	}
	return files, wires[:most]
}

// told passes on what a route has become, as far as it decides which tunnels may stay.
func (p *Proxy) told(path string, data map[string]json.RawMessage) {
	if p.elders.count() == 0 {
		return
	}
	short := map[string]json.RawMessage{}
	for _, key := range []string{"target", "uid", "hub", "user", "server_name", "service"} {
		if v, ok := data[key]; ok {
			short[key] = v
		}
	}
	p.elders.tell(message{Do: doRoute, Path: path, Data: short})
}

// wereActive notes what an elder has seen.
func (p *Proxy) wereActive(active map[string]time.Time) {
	for key, at := range active {
		if r := p.table.get(key); r != nil && at.After(r.up.lastActivity()) {
			r.up.touch(at)
			p.move()
		}
	}
}

// adoptAll goes on with tunnels that were parked.
func (p *Proxy) adoptAll(all []parked) {
	lost := 0
	for _, k := range all {
		if err := p.adopt(k); err != nil {
			lost++
			p.options.Log.Debug().Err(err).Str("route", k.route).Msg("a WebSocket was not taken over")
		}
	}
	if len(all) > 0 {
		p.options.Log.Info().Int("taken", len(all)-lost).Int("closed", lost).Msg("took over WebSockets")
	}
}

// admit serves a caller of the API that came to an elder.
func (p *Proxy) admit(files []*os.File) {
	for _, f := range files {
		c, err := net.FileConn(f)
		f.Close()
		if err == nil {
			go p.callers.hand(caller{c})
		}
	}
}

// Elders tells how many processes before this one still have connections, and how many connections and WebSockets these are.
func (p *Proxy) Elders() (processes, connections, webSockets int) {
	left := p.elders.remains()
	return p.elders.count(), left.Connections, left.Tunnels
}
