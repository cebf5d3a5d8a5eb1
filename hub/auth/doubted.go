package auth

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Whoever shows a server a token in a header or a URL, as programs do, is believed for as long as the server remembers what the hub said of
// the token, and in a WebSocket for ever. So the proxy is told of the tokens that were revoked or have expired, which open nothing any more,
// and of those that may open less than before: about these the servers have to ask anew.

// doubted are the tokens of which the proxy is still to be told.
type doubted struct {
	ended map[string]bool // these open nothing; by the store's names
	less  map[uint64]bool // these may open less; by id
}

func newDoubted() *doubted { return &doubted{ended: map[string]bool{}, less: map[uint64]bool{}} }

// add adds those of tokens that may be at a server.
func (d *doubted) add(tx *store.Tx, these []hub.Token) error {
	for _, t := range these {
		issued, err := clientOf(tx, t)
		if err != nil {
			return err
		}
		if roams(issued) {
			d.less[t.ID] = true
		}
	}
	return nil
}

// suspects are tokens that may open less since the rules have changed for everybody, or since these users have less: theirs; those that
// servers asked about lately; and of those that may have a WebSocket open for longer whoever's rights can have gone with that.
func (p *Porter) suspects(tx *store.Tx, everybody bool, users []string) (these []hub.Token) {
	if !everybody && len(users) == 0 {
		return nil
	}
	for _, user := range users {
		these = append(these, tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: user})...)
	}
	for _, id := range p.asked.lately(p.o.Now()) {
		if t, err := tx.Token(id); err == nil {
			these = append(these, t)
		}
	}
	grouped := map[hub.Owner]bool{}
	for _, t := range tx.UsedTokens(mostUsed) {
		if _, known := grouped[t.Owner]; !known && !everybody {
			grouped[t.Owner] = p.byGroups(tx, t.Owner)
		}
		if everybody || grouped[t.Owner] {
			these = append(these, t)
		}
	}
	return these
}

// byGroups reports whether somebody's rights depend on who else is in which group.
func (p *Porter) byGroups(tx *store.Tx, o hub.Owner) bool {
	holds, err := Holds(tx, p.Policy(), o)
	return err == nil && slices.ContainsFunc(holds.List(), func(scope string) bool { return strings.Contains(scope, "!group=") })
}

// roams reports whether a token can open other servers than that by whose login it was made. issued is what it was issued to; nil: a plain
// token.
func roams(issued *hub.Client) bool { return issued == nil || len(issued.AllowedScopes) > 0 }

// tellOf tells the proxy of tokens: of all that have ended, and of some that may open less. Of what it hears nothing more is to be done. One
// that knows no such thing leaves it to the servers, which ask again by themselves.
func (p *Porter) tellOf(ctx context.Context, d *doubted) error {
	if p.o.Sessions == nil || p.o.Routespec == nil {
		return nil
	}
	if len(d.ended) > 0 {
		if err := p.o.Sessions.EndTokens(ctx, slices.Sorted(maps.Keys(d.ended))); err != nil && hub.KindOf(err) != hub.NotFound {
			return err
		}
		clear(d.ended)
	}
	less := slices.Sorted(maps.Keys(d.less))
	for _, id := range less[:min(toldAtOnce, len(less))] {
		name, stay, err := p.opensOf(id)
		if err == nil {
			err = p.o.Sessions.AskAboutToken(ctx, name, stay)
		}
		if err != nil && hub.KindOf(err) != hub.NotFound { // of the token: it has ended, which is told as well
			return err
		}
		delete(d.less, id)
	}
	return nil
}

// opensOf returns a token's name and the routes of what it opens.
func (p *Porter) opensOf(id uint64) (name string, routes []string, err error) {
	err = p.o.Store.View(func(tx *store.Tx) error {
		t, err := tx.Token(id)
		if err != nil {
			return err
		}
		if name, err = tx.TokenName(id); err != nil {
			return err
		}
		holds, err := Holds(tx, p.Policy(), t.Owner)
		if err != nil {
			return err
		}
		issued, err := clientOf(tx, t)
		if err != nil {
			return err
		}
		holds = p.Policy().Token(t, issued, holds, GroupsIn(tx))
		for c := range tx.Clients() {
			if MayEnter(holds, c, GroupsIn(tx)) {
				routes = append(routes, p.o.Routespec(c))
			}
		}
		return nil
	})
	return name, routes, err
}

// Limits of what is remembered of servers' questions, and of what is told.
const (
	believedFor = 10 * time.Minute // servers remember an answer for five
	noteEvery   = time.Minute
	mostAsked   = 10000

	mostUsed   = 1000 // tokens that are looked at because somebody once came with them
	toldAtOnce = 64   // then it is looked whether something has ended
)

// asked are the tokens about which somebody asked lately who they are.
type asked struct {
	mu   sync.RWMutex // guards when
	when map[uint64]time.Time
}

// note remembers a token. When there are too many, any makes room: its servers ask anew by themselves.
func (k *asked) note(id uint64, now time.Time) {
	k.mu.RLock()
	last, known := k.when[id]
	k.mu.RUnlock()
	if known && now.Sub(last) < noteEvery {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.when == nil {
		k.when = map[uint64]time.Time{}
	}
	if _, known := k.when[id]; !known && len(k.when) >= mostAsked {
		maps.DeleteFunc(k.when, func(_ uint64, at time.Time) bool { return now.Sub(at) > believedFor })
		for other := range k.when {
			if len(k.when) < mostAsked {
				break
			}
			delete(k.when, other)
		}
	}
	k.when[id] = now
}

// lately returns the tokens, and forgets those that nobody remembers.
func (k *asked) lately(now time.Time) []uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.when, func(_ uint64, at time.Time) bool { return now.Sub(at) > believedFor })
	return slices.Collect(maps.Keys(k.when))
}

// asksWho reports whether a request asks who shows a token, as a server does that is shown one.
func asksWho(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/api/user") }
