package proxy

import "maps"

// open is how many WebSockets of one owner are open in a process.
type open struct {
	User    string `json:"user,omitempty"`
	Service string `json:"service,omitempty"`
	Key     string `json:"key,omitempty"`
	N       int    `json:"n"`
}

// openBatch is how many owners are told of in one packet.
const openBatch = 50

// tellOpen tells the heir whose WebSockets are open here, so that what an owner may have is counted once, wherever it is: everything, or
// what has changed since it was last told.
func (p *Proxy) tellOpen(l *wire, everything bool) error {
	l.telling.Lock()
	defer l.telling.Unlock()
	now := p.loads.open()
	if everything {
		l.told = nil
	}
	var batch []open
	tell := func(who owned, n int) error {
		if batch = append(batch, open{who.user, who.service, who.key, n}); len(batch) < openBatch {
			return nil
		}
		defer func() { batch = nil }()
		return l.send(message{Do: doOpen, Open: batch})
	}
	for who, n := range now {
		if l.told[who] != n {
			if err := tell(who, n); err != nil {
				return err
			}
		}
	}
	for who := range l.told {
		if now[who] == 0 {
			if err := tell(who, 0); err != nil {
				return err
			}
		}
	}
	l.told = now
	if len(batch) == 0 {
		return nil
	}
	return l.send(message{Do: doOpen, Open: batch})
}

// open returns whose WebSockets are open here.
func (ls *loads) open() map[owned]int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := map[owned]int{}
	for who, one := range ls.of {
		if n := one.sockets.Load(); n > 0 {
			all[who] = int(n)
		}
	}
	return all
}

// heard takes in what an elder says is open there.
func (ls *loads) heard(l *wire, all []open) {
	for _, o := range all {
		who := owned{o.User, o.Service, o.Key}
		ls.elsewhere(who, o.N-l.open[who])
		if o.N == 0 {
			delete(l.open, who)
			continue
		}
		if l.open == nil {
			l.open = map[owned]int{}
		}
		l.open[who] = o.N
	}
}

// left forgets what an elder had that is gone.
func (ls *loads) left(l *wire) {
	for who, n := range maps.All(l.open) {
		ls.elsewhere(who, -n)
	}
	l.open = nil
}

// elsewhere counts WebSockets of an owner's in other processes, who may have no route at this time.
func (ls *loads) elsewhere(who owned, change int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.beside == nil {
		ls.beside = map[owned]int{}
	}
	if ls.beside[who] += change; ls.beside[who] == 0 {
		delete(ls.beside, who)
	}
	if one := ls.of[who]; one != nil {
		one.beside.Store(int64(ls.beside[who]))
	}
}
