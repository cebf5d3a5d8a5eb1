package spawner

import (
	"encoding/json"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// record reads a server from the store; the default server of a user who never started one is made up.
func record(tx *store.Tx, ref hub.ServerRef) (hub.Server, error) {
	r, err := tx.Server(ref)
	if hub.KindOf(err) == hub.NotFound && ref.Server == "" {
		_, err = tx.User(ref.User)
		r = hub.Server{ServerRef: ref}
	}
	return r, err
}

// Create makes a named server that does not run.
func (m *Manager) Create(ref hub.ServerRef, displayName string) (live hub.Live, err error) {
	policy := m.policyNow()
	if err := policy.admitNamed(ref); err != nil {
		return live, err
	}
	err = m.store.Update(func(tx *store.Tx) error {
		if _, err := record(tx, ref); hub.KindOf(err) != hub.NotFound {
			if err == nil {
				err = hub.Errorf(hub.Conflict, "%s already has a server %q", ref.User, ref.Server)
			}
			return err
		}
		live.Server, err = m.newRecord(tx, policy, ref, displayName)
		return err
	})
	return m.complete(live), err
}

// newRecord writes the record of a server that has none.
func (m *Manager) newRecord(tx *store.Tx, policy Policy, ref hub.ServerRef, displayName string) (hub.Server, error) {
	if _, err := tx.User(ref.User); err != nil {
		return hub.Server{}, err
	}
	r := hub.Server{ServerRef: ref, DisplayName: displayName, Created: m.now()}
	if ref.Server != "" {
		if err := policy.admitNew(ref, displayName, namedServers(tx, ref.User)); err != nil {
			return r, err
		}
		if displayName == "" {
			r.DisplayName = ref.Server
		}
	}
	return r, tx.PutServer(r)
}

func namedServers(tx *store.Tx, user string) (n int) {
	for _, s := range tx.Servers(user) {
		if s.Server != "" {
			n++
		}
	}
	return n
}

// choice is how a user wants a server to be started.
type choice struct {
	profile string
	options json.RawMessage // nil: as the last time, the profile too
}

func (c choice) isNone() bool { return c.profile == "" && c.options == nil }

// goesBy notes what a start goes by; the caller holds mu.
func (s *server) goesBy(before, now choice) {
	s.before, s.rescue = before, now.profile == hub.RescueProfile
	s.kept = now.isNone() && !before.isNone()
}

// disregard has a start go on as if its user had never chosen anything: what they chose the last time cannot be had any more, and they
// may have nowhere to choose again.
func (m *Manager) disregard(s *server, why error) (hub.Live, error) {
	m.mu.Lock()
	s.kept = false
	m.mu.Unlock()
	s.progress.step(10, "What was chosen the last time cannot be had any more (%s). Starting what is had without a choice", hub.TextOf(why))
	err := m.store.Update(func(tx *store.Tx) error {
		r, err := tx.Server(s.ref)
		if err != nil {
			return err
		}
		r.Profile, r.Options = "", nil
		return tx.PutServer(r)
	})
	if err != nil {
		return hub.Live{}, err
	}
	return m.Server(s.ref)
}

// wish records that a server shall run, and returns what was chosen before. It is on disk when this returns, before anybody
// is asked for anything.
func (m *Manager) wish(policy Policy, ref hub.ServerRef, c choice, boot string) (before choice, err error) {
	now := m.now()
	m.store.TouchUser(ref.User, now)
	return before, m.store.Update(func(tx *store.Tx) error {
		r, err := tx.Server(ref)
		if hub.KindOf(err) == hub.NotFound {
			r, err = m.newRecord(tx, policy, ref, "")
		}
		if err != nil {
			return err
		}
		before = choice{r.Profile, r.Options}
		if c.profile != "" || c.options != nil {
			r.Profile = c.profile
		}
		if c.options != nil {
			r.Options = c.options
		}
		r.Wanted, r.Ending, r.BootID, r.Failure, r.Started, r.LastActivity = true, false, boot, nil, now, now
		return tx.PutServer(r)
	})
}

// unwish records that a server shall not run any more, though it may still, and why if it failed. Until end has cleared away what it
// had, whoever is the hub goes on with that.
func (m *Manager) unwish(ref hub.ServerRef, cause *hub.Cause) error {
	return m.store.Update(func(tx *store.Tx) error {
		r, err := tx.Server(ref)
		if err != nil || !r.Wanted {
			return ignoreAbsent(err)
		}
		r.Wanted, r.Ending, r.Failure = false, true, cause
		return tx.PutServer(r)
	})
}

// ending is what is written of a server that has stopped.
type ending struct {
	cause *hub.Cause // nil: as it was meant to
	keep  bool       // the machine went down, so the wish stays
	erase bool       // the record goes too
	undo  *choice    // what was chosen was refused: this was chosen before
	run   hub.Unit   // as it was last seen
}

// end clears what a server had while it ran: its token, and its OAuth client with every token and code issued through it.
func (m *Manager) end(ref hub.ServerRef, e ending) error {
	now := m.now()
	m.store.TouchUser(ref.User, now)
	return m.store.Update(func(tx *store.Tx) error {
		if err := revoke(tx, ref); err != nil {
			return err
		}
		if e.erase {
			return ignoreAbsent(tx.DeleteServer(ref))
		}
		r, err := tx.Server(ref)
		if err != nil {
			return ignoreAbsent(err) // its user was removed
		}
		r.Wanted, r.Ending, r.Failure = e.keep, false, e.cause
		if e.undo != nil {
			r.Profile, r.Options = e.undo.profile, e.undo.options
		}
		if e.run.Invocation != "" {
			openRun(&r, e.run.Invocation, began(e.run, now), e.run.Memory)
		}
		r.Started, r.LastActivity = zeroTime, now
		return tx.PutServer(r)
	})
}

// unfinished is what the records of servers say that somebody has to care for.
type unfinished struct {
	wanted  map[hub.ServerRef]hub.Server // shall run
	ending  map[hub.ServerRef]*hub.Cause // shall not any more, and why if they failed
	partial map[hub.ServerRef]*hub.Cause // have failed, and not all is told
	runs    []hub.ServerRef              // have runs of which not all is in the accounts
}

func (m *Manager) unfinished() (unfinished, error) {
	u := unfinished{wanted: map[hub.ServerRef]hub.Server{}, ending: map[hub.ServerRef]*hub.Cause{}, partial: map[hub.ServerRef]*hub.Cause{}}
	err := m.store.View(func(tx *store.Tx) error {
		return tx.EachServer(func(r hub.Server) error {
			if r.Wanted {
				u.wanted[r.ServerRef] = r
			}
			if r.Ending {
				u.ending[r.ServerRef] = r.Failure
			}
			if r.Failure != nil && r.Failure.Partial {
				u.partial[r.ServerRef] = r.Failure
			}
			if len(r.Runs) > 0 {
				u.runs = append(u.runs, r.ServerRef)
			}
			return nil
		})
	})
	return u, err
}

func ignoreAbsent(err error) error {
	if hub.KindOf(err) == hub.NotFound {
		return nil
	}
	return err
}
