package proxy

import "maps"

// open is what one owner has open in a process.
type open struct {
	User    string `json:"user,omitempty"`
	Service string `json:"service,omitempty"`
	Key     string `json:"key,omitempty"`
	underWay
}

// underWay are WebSockets that are open, and requests that are not answered yet.
type underWay struct {
	Sockets  int `json:"n"`
	Requests int `json:"requests,omitempty"`
}

func (u underWay) less(other underWay) underWay {
	return underWay{u.Sockets - other.Sockets, u.Requests - other.Requests}
}

// openBatch is how many owners are told of in one packet.
const openBatch = 50

// tellOpen tells the heir whose WebSockets and requests are here, so that what an owner may have is counted once, wherever it is: everything, or
// what has changed since it was last told.
func (p *Proxy) tellOpen(l *wire, everything bool) error {
	l.telling.Lock()
	defer l.telling.Unlock()
	now := p.loads.open()
	if everything {
		l.told = nil
	}
	var batch []open
	tell := func(who owned, n underWay) error {
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
		if now[who] == (underWay{}) {
			if err := tell(who, underWay{}); err != nil {
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

// open returns what owners have here.
func (ls *loads) open() map[owned]underWay {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := map[owned]underWay{}
	for who, one := range ls.of {
		if n := (underWay{int(one.sockets.Load()), int(one.requests.Load())}); n != (underWay{}) {
			all[who] = n
		}
	}
	return all
}

// heard takes in what an elder says is open there.
func (ls *loads) heard(l *wire, all []open) {
	for _, o := range all {
		who := owned{o.User, o.Service, o.Key}
		ls.elsewhere(who, o.underWay.less(l.open[who]))
		if o.underWay == (underWay{}) {
			delete(l.open, who)
			continue
		}
		if l.open == nil {
			l.open = map[owned]underWay{}
		}
		l.open[who] = o.underWay
	}
}

// left forgets what an elder had that is gone.
func (ls *loads) left(l *wire) {
	for who, n := range maps.All(l.open) {
		ls.elsewhere(who, underWay{}.less(n))
	}
	l.open = nil
}

// elsewhere counts what an owner has in other processes, who may have no route at this time.
func (ls *loads) elsewhere(who owned, change underWay) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.beside == nil {
		ls.beside = map[owned]underWay{}
	}
	now := underWay{ls.beside[who].Sockets + change.Sockets, ls.beside[who].Requests + change.Requests}
	if ls.beside[who] = now; now == (underWay{}) {
		delete(ls.beside, who)
	}
	if one := ls.of[who]; one != nil {
		one.elsewhere(now)
	}
}
