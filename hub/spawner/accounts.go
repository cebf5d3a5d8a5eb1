package spawner

import (
	"context"
	"errors"
	"slices"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// The accounts are written from what systemd counts of each run since its beginning. How much of that is in them already stands in the
// server's record and changes in the same transaction: so a hub may be killed at any moment, and the next one goes on where it
// was. Of a run that ended while nobody looked the journal knows what it used in all, or its unit's last process has said so.
const (
	firstNote = 200 * time.Millisecond // after a start, so that many are noted in one transaction
	firstLook = 10 * time.Second       // after a start or an end, so that many are looked at together
	runsAsked = 100                    // ends that are asked for at once
	runsKept  = 8                      // of one server that are not in the accounts; older ones are let go
)

// noteRun has it written down that a run of a server has begun, so that it is in the accounts even if there is no hub when it ends.
// The caller holds mu.
func (m *Manager) noteRun(u hub.Unit) {
	if u.Invocation == "" {
		return
	}
	first := len(m.usage.fresh) == 0
	m.usage.fresh[u.ServerRef] = u
	if first {
		m.do(func(ctx context.Context) {
			pause(ctx, nil, firstNote)
			m.warn(m.noteRuns(), "write down which servers run, ignoring")
		})
	}
}

func (m *Manager) noteRuns() error {
	m.mu.Lock()
	fresh := m.usage.fresh
	m.usage.fresh = map[hub.ServerRef]hub.Unit{}
	m.mu.Unlock()
	now := m.now()
	return m.store.Update(func(tx *store.Tx) error {
		for _, u := range fresh {
			if err := noteRun(tx, u, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func noteRun(tx *store.Tx, u hub.Unit, now time.Time) error {
	r, err := tx.Server(u.ServerRef)
	if err != nil {
		return ignoreAbsent(err)
	}
	openRun(&r, u.Invocation, began(u, now), u.Memory)
	return tx.PutServer(r)
}

// countSoon has the accounts brought up to date: a server is new, or has ended. The caller holds mu.
func (m *Manager) countSoon() {
	if m.counting {
		return
	}
	m.counting = true
	m.do(func(ctx context.Context) {
		pause(ctx, nil, firstLook)
		m.mu.Lock()
		m.counting = false
		runs := m.queue.taken > 0
		m.mu.Unlock()
		if ctx.Err() == nil && runs {
			m.count(m.readUsage(ctx))
		}
		m.close(ctx)
	})
}

// count adds to the accounts what units have used since they were last counted.
func (m *Manager) count(units []hub.Unit) {
	if len(units) == 0 {
		return
	}
	now := m.now()
	err := m.store.Update(func(tx *store.Tx) error {
		sum := sums{}
		for _, u := range units {
			r, err := tx.Server(u.ServerRef)
			if hub.KindOf(err) == hub.NotFound {
				continue // nobody's wish
			}
			if err != nil {
				return err
			}
			sum.add(u.User, now, advance(&r, hub.Counted{Invocation: u.Invocation, CPU: u.CPU, Memory: u.Memory, At: now}, began(u, now)))
			if err := tx.PutServer(r); err != nil {
				return err
			}
		}
		return sum.write(tx)
	})
	m.warn(err, "write down what servers used, ignoring")
}

// began is since when a unit runs.
func began(u hub.Unit, now time.Time) time.Time {
	if u.Since.IsZero() || u.Since.After(now) {
		return now
	}
	return u.Since
}

// advance takes down what is known of a run, and returns what it used since that was last done, or since it began.
func advance(r *hub.Server, next hub.Counted, began time.Time) hub.Consumption {
	at := openRun(r, next.Invocation, began, next.Memory)
	c := between(r.Runs[at], next)
	next.CPU = max(next.CPU, r.Runs[at].CPU) // unknown just now
	r.Runs[at] = next
	return c
}

// openRun returns the place of a run among those of the server, where it is put if nothing was counted of it yet.
func openRun(r *hub.Server, invocation string, began time.Time, memory int64) int {
	at := slices.IndexFunc(r.Runs, func(c hub.Counted) bool { return c.Invocation == invocation })
	if at >= 0 {
		return at
	}
	r.Runs = append(r.Runs, hub.Counted{Invocation: invocation, Memory: memory, At: began})
	r.Runs = r.Runs[max(0, len(r.Runs)-runsKept):]
	return len(r.Runs) - 1
}

// between returns what was used between two looks: processor time exactly, memory as a line drawn from one to the other.
func between(before, next hub.Counted) (c hub.Consumption) {
	span := max(0, next.At.Sub(before.At))
	c.ServerHours = span.Hours()
	if next.CPU >= before.CPU {
		c.CPUSeconds = time.Duration(next.CPU - before.CPU).Seconds()
	}
	first, last := before.Memory, next.Memory
	if first < 0 {
		first = last
	}
	if last >= 0 {
		c.MemoryHours = float64(first+last) / 2 / (1 << 30) * span.Hours()
	}
	return c
}

// close brings runs that are over into the accounts. What their end is not known of ends where it was last looked at.
func (m *Manager) close(ctx context.Context) {
	over, err := m.over()
	m.warn(err, "read servers from the store, ignoring")
	for batch := range slices.Chunk(over, runsAsked) {
		ends, err := m.askEnds(ctx, batch)
		if err == nil {
			err = m.store.Update(func(tx *store.Tx) error { return closeRuns(tx, batch, ends) })
		}
		if err != nil {
			if ctx.Err() == nil {
				m.log.Warn().Err(err).Msg("ask what servers used that have ended, asking again later")
			}
			return
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range over {
		delete(m.usage.open, o.ServerRef)
	}
}

// run is one run of a server.
type run struct {
	hub.ServerRef
	invocation string
}

// over returns the runs that are not in the accounts and do not go on.
func (m *Manager) over() (over []run, err error) {
	m.mu.Lock()
	alive := make(map[hub.ServerRef]string, len(m.usage.open))
	for ref := range m.usage.open {
		alive[ref] = ""
		if s := m.servers[ref]; s != nil && s.unit.State.Alive() {
			alive[ref] = s.unit.Invocation
		}
	}
	m.mu.Unlock()
	if len(alive) == 0 {
		return nil, nil
	}
	err = m.store.View(func(tx *store.Tx) error {
		for ref, goesOn := range alive {
			r, err := tx.Server(ref)
			if err != nil && hub.KindOf(err) != hub.NotFound {
				return err
			}
			for _, c := range r.Runs {
				if c.Invocation != goesOn {
					over = append(over, run{ref, c.Invocation})
				}
			}
		}
		return nil
	})
	return over, err
}

// askEnds returns what is known of ends. A Spawner that keeps no such books knows of none.
func (m *Manager) askEnds(ctx context.Context, over []run) (map[string]hub.Ended, error) {
	if m.ended == nil {
		return nil, nil
	}
	var ids []string
	for _, o := range over {
		ids = append(ids, o.invocation)
	}
	limited, done := context.WithTimeout(ctx, journalTime)
	defer done()
	found, err := m.ended(limited, ids)
	if err != nil && (away(err) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
		return nil, err
	}
	ends := make(map[string]hub.Ended, len(found))
	for _, e := range found {
		ends[e.Invocation] = e
	}
	return ends, nil
}

func closeRuns(tx *store.Tx, over []run, ends map[string]hub.Ended) error {
	sum := sums{}
	for _, o := range over {
		r, err := tx.Server(o.ServerRef)
		if err != nil {
			if hub.KindOf(err) == hub.NotFound {
				continue
			}
			return err
		}
		at := slices.IndexFunc(r.Runs, func(c hub.Counted) bool { return c.Invocation == o.invocation })
		if at < 0 {
			continue
		}
		last := r.Runs[at]
		if end, known := ends[o.invocation]; known {
			memory := last.Memory
			if memory < 0 {
				memory = end.Memory // nobody looked while it ran: the most that it had
			}
			sum.add(o.User, end.At, between(last, hub.Counted{CPU: end.CPU, Memory: memory, At: end.At}))
		}
		r.Runs = slices.Delete(r.Runs, at, at+1)
		if err := tx.PutServer(r); err != nil {
			return err
		}
	}
	return sum.write(tx)
}

// sums is what users used, by user and day.
type sums map[[2]string]hub.Consumption

func (s sums) add(user string, at time.Time, c hub.Consumption) {
	c.User, c.Day = user, at.Local().Format(hub.DayFormat)
	s[[2]string{c.User, c.Day}] = c.Plus(s[[2]string{c.User, c.Day}])
}

func (s sums) write(tx *store.Tx) error {
	for _, c := range s {
		if err := tx.AddUsage(c); err != nil {
			return err
		}
	}
	return nil
}

// closeOf brings all runs of a server into the accounts that is to be forgotten.
func (m *Manager) closeOf(ctx context.Context, ref hub.ServerRef, u hub.Unit) {
	if u.Invocation != "" {
		err := m.store.Update(func(tx *store.Tx) error { return noteRun(tx, u, m.now()) })
		m.warn(err, "write down which servers run, ignoring")
	}
	m.mu.Lock()
	m.usage.open[ref] = true
	m.mu.Unlock()
	m.close(ctx)
}
