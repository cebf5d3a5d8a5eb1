package oauth

import (
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// maxVisits is how many visits a user is told of at a time; older ones are in the journal alone.
const maxVisits = 16

// visited writes down that somebody enters another's server: its owner is told on the home page until they put it away. What was shared
// with the visitor is no visit: the owner knows.
func visited(tx *store.Tx, req *request, v hub.Visit) (told bool, err error) {
	owner, visitor := req.client.Server.User, req.actor.User
	if owner == "" || owner == visitor.Name {
		return false, nil
	}
	shared := hub.ScopesFor(req.client.Server, []string{"access:servers"})[0]
	if slices.Contains(tx.SharedScopes(visitor.Name, visitor.Groups), shared) {
		return false, nil
	}
	u, err := tx.User(owner)
	if err != nil {
		return false, err
	}
	u.Visits = slices.DeleteFunc(u.Visits, func(o hub.Visit) bool { return o.Server == v.Server && o.By == v.By })
	u.Visits = append(u.Visits, v)
	if len(u.Visits) > maxVisits {
		u.Visits = u.Visits[len(u.Visits)-maxVisits:]
	}
	_, err = tx.PutUser(u)
	return true, err
}
