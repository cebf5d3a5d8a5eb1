package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// wakeTime is how long the hub may take to wake a server.
const wakeTime = time.Minute

// slumber is whether an upstream sleeps. A sleeping server's socket takes connections and requests in, and answers when it is
// awake again: nothing has to be held back here, but the hub has to hear of the first thing that comes.
type slumber struct {
	wake   atomic.Pointer[string] // where the hub wakes it; nil: it is awake
	waking atomic.Bool            // the hub is being asked
}

// lull takes over what a route says: its data's key "wake", which is ours, is the path at the hub that wakes its server.
func (s *slumber) lull(wake string) {
	if !strings.HasPrefix(wake, "/") {
		s.wake.Store(nil)
		return
	}
	s.wake.Store(&wake)
}

// isDeep reports whether it sleeps and nobody is waking it.
func (s *slumber) isDeep() bool { return !s.waking.Load() && s.wake.Load() != nil } // in that order: who is woken is awake first

// rouse asks the hub to wake an upstream that sleeps, once at a time. When it could not, the next request asks again.
func (p *Proxy) rouse(u *upstream) {
	if u.slumber.wake.Load() == nil || !u.slumber.waking.CompareAndSwap(false, true) {
		return
	}
	wake := u.slumber.wake.Load() // once more: somebody may have woken it just before
	if wake == nil {
		u.slumber.waking.Store(false)
		return
	}
	go func() {
		defer u.slumber.waking.Store(false)
		if err := p.askHub(*wake); err != nil {
			p.options.Log.Warn().Err(err).Msg("ask the hub to wake a server")
			return
		}
		u.slumber.wake.CompareAndSwap(wake, nil) // unless the hub has laid it to sleep again meanwhile
	}()
}

// askHub posts to a path of the hub's. It says nothing of a client: that is how the hub knows that the proxy itself asks.
func (p *Proxy) askHub(path string) error {
	bare, _ := splitTarget(path)
	where, err := readPath(bare)
	if err != nil {
		return err
	}
	r := p.lookUp("", where)
	if r == nil || !r.isHub() {
		return fmt.Errorf("%s does not lead to the hub", bare)
	}
	out, err := http.NewRequest(http.MethodPost, r.target.scheme+"://"+r.target.host+path, nil)
	if err != nil {
		return err
	}
	c := http.Client{Transport: r.up.transport(), Timeout: wakeTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := c.Do(out)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the hub answered %d", answer.StatusCode)
	}
	return nil
}
