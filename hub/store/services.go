package store

import "jupyterhubd/hub"

// Service returns the service of that name.
func (tx *Tx) Service(name string) (hub.Service, error) {
	s, ok, err := load[hub.Service](tx, bucketServices, []byte(name))
	if err != nil || !ok {
		return hub.Service{}, orMissing(err, "service", name)
	}
	return s, nil
}

// Services returns all services, sorted by name.
func (tx *Tx) Services() (services []hub.Service) {
	for name := range tx.walk(bucketServices, false, func(k, _ []byte) string { return string(k) }) {
		if s, err := tx.Service(name); err == nil {
			services = append(services, s)
		}
	}
	return services
}

// PutService stores a service, new or known.
func (tx *Tx) PutService(s hub.Service) error {
	if err := checkName("service", s.Name); err != nil {
		return err
	}
	s.Roles, s.Scopes = sorted(s.Roles), sorted(s.Scopes)
	return save(tx, bucketServices, []byte(s.Name), s, nil, nil)
}

// DeleteService removes a service, its tokens, and its OAuth client with all that was issued through it.
func (tx *Tx) DeleteService(name string) error {
	if _, err := tx.Service(name); err != nil {
		return err
	}
	if id := tx.get(indexClientOwner, []byte(name)); id != "" {
		if err := tx.DeleteClient(id); err != nil {
			return err
		}
	}
	if err := tx.DeleteTokensOf(hub.Owner{Kind: hub.OwnerService, Name: name}); err != nil {
		return err
	}
	return tx.erase(bucketServices, []byte(name), nil)
}
