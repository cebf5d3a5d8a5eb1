package store

import "jupyterhubd/hub"

func serverKey(ref hub.ServerRef) []byte { return key(ref.User, ref.Server) }

// Server returns what is remembered of a server.
func (tx *Tx) Server(ref hub.ServerRef) (hub.Server, error) {
	s, ok, err := load[hub.Server](tx, bucketServers, serverKey(ref))
	if err != nil || !ok {
		return hub.Server{}, orMissing(err, "server", ref.String())
	}
	return tx.freshened(s), nil
}

func (tx *Tx) freshened(s hub.Server) hub.Server {
	s.LastActivity = later(s.LastActivity, tx.touchedServer(s.ServerRef))
	return s
}

// Servers returns a user's servers, the default one first, then by name.
func (tx *Tx) Servers(user string) (servers []hub.Server) {
	_ = tx.eachServer(key(user, ""), func(s hub.Server) error {
		servers = append(servers, s)
		return nil
	})
	return servers
}

// EachServer calls fn for every server of everybody, until fn returns an error. fn must not store or delete servers.
func (tx *Tx) EachServer(fn func(hub.Server) error) error { return tx.eachServer(nil, fn) }

func (tx *Tx) eachServer(prefix []byte, fn func(hub.Server) error) error {
	return tx.scan(bucketServers, prefix, func(k, _ []byte) error {
		s, _, err := load[hub.Server](tx, bucketServers, k)
		if err != nil {
			return err
		}
		return fn(tx.freshened(s))
	})
}

// PutServer stores a server, new or known, of a user who exists. LastActivity only moves forward.
func (tx *Tx) PutServer(s hub.Server) error {
	if _, ok, err := tx.storedUser(s.User); err != nil || !ok {
		return orMissing(err, "user", s.User)
	}
	if s.Server != "" {
		if err := checkName("server", s.Server); err != nil {
			return err
		}
	}
	old, _, err := load[hub.Server](tx, bucketServers, serverKey(s.ServerRef))
	if err != nil {
		return err
	}
	if s.Created.IsZero() {
		s.Created = tx.now().UTC()
	}
	s.LastActivity = later(s.LastActivity, old.LastActivity)
	return save(tx, bucketServers, serverKey(s.ServerRef), s, nil, nil)
}

// DeleteServer forgets a server, what was shared of it, its own token and its OAuth client with all that was issued through it.
func (tx *Tx) DeleteServer(ref hub.ServerRef) error {
	if _, err := tx.Server(ref); err != nil {
		return err
	}
	if err := tx.DeleteServerToken(ref); err != nil {
		return err
	}
	if id := tx.get(indexClientOwner, serverKey(ref)); id != "" {
		if err := tx.DeleteClient(id); err != nil {
			return err
		}
	}
	if err := tx.deleteShares(tx.values(indexShareServer, key(ref.User, ref.Server, ""))); err != nil {
		return err
	}
	if err := tx.deleteShareCodesOfServer(ref); err != nil {
		return err
	}
	tx.forgetServer(ref)
	return tx.erase(bucketServers, serverKey(ref), nil)
}

func (tx *Tx) renameServer(old, ref hub.ServerRef) error {
	s, err := tx.Server(old)
	if err != nil {
		return err
	}
	if err := tx.DeleteServerToken(old); err != nil {
		return err
	}
	if err := tx.erase(bucketServers, serverKey(old), nil); err != nil {
		return err
	}
	s.ServerRef = ref
	if err := save(tx, bucketServers, serverKey(ref), s, nil, nil); err != nil {
		return err
	}
	return tx.MoveShares(old, ref)
}
