package store

import (
	"crypto/subtle"

	"jupyterhubd/hub"
)

// clientRecord is an OAuth client as it is kept: its secret's hash instead of its secret.
type clientRecord struct {
	hub.Client
	Hash []byte `json:"hash"`
}

// clientRows: one client a server or service. A server's key holds a zero byte, which no service's name does.
func clientRows(c clientRecord) []row {
	owner := []byte(c.Service)
	if c.Service == "" {
		owner = serverKey(c.Server)
	}
	return []row{{indexClientOwner, owner, []byte(c.ID)}}
}

// Client returns the OAuth client of that id.
func (tx *Tx) Client(id string) (hub.Client, error) {
	c, err := tx.client(id)
	return c.Client, err
}

// ClientOfService returns the OAuth client of a service.
func (tx *Tx) ClientOfService(name string) (hub.Client, error) {
	return tx.Client(tx.get(indexClientOwner, []byte(name)))
}

func (tx *Tx) client(id string) (clientRecord, error) {
	c, ok, err := recall(tx, &tx.s.clients, bucketClients, []byte(id))
	if err != nil || !ok {
		return clientRecord{}, orMissing(err, "OAuth client", id)
	}
	return c, nil
}

// PutClient stores the OAuth client of a server or a service that exists. An empty secret keeps the one that it has. Ids of
// different owners can be spelled alike (user a-b, and user a with server b): the second one is a Conflict.
func (tx *Tx) PutClient(c hub.Client, secret string) error {
	if err := tx.checkClient(c); err != nil {
		return err
	}
	old, exists, err := load[clientRecord](tx, bucketClients, []byte(c.ID))
	if err != nil {
		return err
	}
	rec := clientRecord{c, old.Hash}
	var rows []row
	if exists {
		if old.Server != c.Server || old.Service != c.Service {
			return hub.Errorf(hub.Conflict, "OAuth client id %s belongs to another server or service", c.ID)
		}
		rows = clientRows(old)
	}
	if secret != "" {
		rec.Hash = hash(secret)
	}
	if len(rec.Hash) == 0 {
		return hub.Errorf(hub.Invalid, "an OAuth client needs a secret")
	}
	if other := string(tx.bucket(indexClientOwner).Get(clientRows(rec)[0].key)); other != "" && other != c.ID {
		if err := tx.DeleteClient(other); err != nil { // a configured id was changed
			return err
		}
	}
	return save(tx, bucketClients, []byte(c.ID), rec, rows, clientRows(rec))
}

func (tx *Tx) checkClient(c hub.Client) (err error) {
	switch {
	case c.ID == "" || len(c.ID) > 3*maxName*2:
		return hub.Errorf(hub.Invalid, "an OAuth client needs an id")
	case c.Service != "" && c.Server.IsZero():
		_, err = tx.Service(c.Service)
	case c.Service == "" && !c.Server.IsZero():
		_, err = tx.Server(c.Server)
	default:
		err = hub.Errorf(hub.Invalid, "an OAuth client belongs to a server or to a service")
	}
	return err
}

// CheckClientSecret returns NotFound for a client that is not there and Forbidden for a wrong secret.
func (tx *Tx) CheckClientSecret(id, secret string) error {
	c, err := tx.client(id)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(c.Hash, hash(secret)) != 1 {
		return hub.Errorf(hub.Forbidden, "wrong client secret")
	}
	return nil
}

// DeleteClient removes an OAuth client, its codes and all tokens that were issued to it.
func (tx *Tx) DeleteClient(id string) error {
	c, err := tx.client(id)
	if err != nil {
		return err
	}
	if err := tx.deleteCodes(func(code hub.Code) bool { return code.Client == id }); err != nil {
		return err
	}
	if err := tx.DeleteTokensOfClient(id); err != nil {
		return err
	}
	return tx.erase(bucketClients, []byte(id), clientRows(c))
}

// deleteClientsOfUser removes the clients of all servers of a user.
func (tx *Tx) deleteClientsOfUser(user string) error {
	for _, server := range tx.keys(indexClientOwner, key(user, "")) {
		if err := tx.DeleteClient(tx.get(indexClientOwner, key(user, server))); err != nil {
			return err
		}
	}
	return nil
}
