package api

import (
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// createService answers POST /hub/api/services/X: a service that no configuration knows. It lasts until somebody takes it away.
func (room *Room) createService(w http.ResponseWriter, r *http.Request) error {
	wish, err := readService(r)
	if err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	if err := room.mayServe(a, wish); err != nil {
		return err
	}
	err = room.Store.Update(func(tx *store.Tx) error {
		if _, err := tx.Service(wish.Name); err == nil || wish.Name == auth.LocalAdmin {
			return hub.Errorf(hub.Conflict, "Service %s already exists", wish.Name)
		}
		return wish.put(tx, room.Hosts.Service(wish.Name)+room.BaseURL)
	})
	if err != nil {
		return err
	}
	if wish.URL != "" {
		_ = room.Daemon.Resync(r.Context()) // the workshop compares the proxy's routes again by itself, ignoring
	}
	return writeJSON(w, http.StatusCreated, room.serviceModel(readerOf(a), wish.Service))
}

// newService is what a request wants.
type newService struct {
	hub.Service
	token    string   // its API token, and its secret as an OAuth client
	client   string   // OAuth client id
	redirect string   // where its logins end; "" means below its prefix
	allowed  []string // what its OAuth tokens may be asked for
	logins   bool     // it is an OAuth client
}

// serviceKeys are those of JupyterHub's services. What makes a managed one is known, and refused.
var serviceKeys = []string{"name", "admin", "url", "oauth_client_allowed_scopes", "api_token", "info", "display", "oauth_no_confirm",
	"command", "cwd", "environment", "user", "oauth_client_id", "oauth_redirect_uri"}

func readService(r *http.Request) (newService, error) {
	n := newService{Service: hub.Service{Name: r.PathValue("service"), Display: true}}
	body, err := readObject(r)
	if err == nil && len(body) == 0 {
		err = hub.Errorf(hub.Invalid, "Invalid service data: a JSON object is needed")
	}
	if err == nil {
		err = body.only(serviceKeys...)
	}
	if err != nil {
		return n, err
	}
	for key, raw := range body {
		if string(raw) == "null" {
			return n, hub.Errorf(hub.Invalid, "%s must not be null", key)
		}
	}
	if err := n.fill(body); err != nil {
		return n, err
	}
	return n, n.check(body)
}

func (n *newService) fill(body object) error {
	var name, cwd, user string
	var command []any
	var environment map[string]any
	for key, field := range map[string]struct {
		into any
		want string
	}{
		"name": {&name, "a string"}, "admin": {&n.Admin, "true or false"}, "url": {&n.URL, "a string"}, "info": {&n.Info, "an object"},
		"display": {&n.Display, "true or false"}, "oauth_no_confirm": {&n.NoConfirm, "true or false"}, "api_token": {&n.token, "a string"},
		"oauth_client_id": {&n.client, "a string"}, "oauth_redirect_uri": {&n.redirect, "a string"},
		"oauth_client_allowed_scopes": {&n.allowed, "a list of scopes"}, "command": {&command, "a list"}, "cwd": {&cwd, "a string"},
		"user": {&user, "a string"}, "environment": {&environment, "an object"},
	} {
		if err := body.into(key, field.into, field.want); err != nil {
			return err
		}
	}
	if len(command) > 0 {
		return hub.Errorf(hub.Invalid, "Can not create managed service %s at runtime: what root runs, root's configuration says", n.Name)
	}
	return nil
}

// check settles what follows from what was said.
func (n *newService) check(body object) error {
	if n.URL != "" {
		u, err := url.Parse(n.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return hub.Errorf(hub.Invalid, "url must be http://host:port or https://host:port")
		}
	}
	n.logins = n.URL != "" || n.client != "" || n.redirect != "" || n.NoConfirm
	if n.client == "" {
		n.client = "service-" + n.Name
	}
	switch {
	case !strings.HasPrefix(n.client, "service-"):
		return hub.Errorf(hub.Invalid, "oauth_client_id must start with service-")
	case n.logins && n.redirect == "" && n.URL == "":
		return hub.Errorf(hub.Invalid, "oauth_redirect_uri is needed: there is no url to end a login at")
	case len(n.token) < 8 && n.token != "":
		return hub.Errorf(hub.Invalid, "api_token must have at least 8 characters")
	}
	return nil
}

// mayServe refuses a service that would get more than who makes it has: as an admin, or by asking visitors for it without
// their knowing.
func (room *Room) mayServe(a auth.Actor, n newService) error {
	policy := room.Policy()
	if n.Admin && !room.wholeAdmin(a) {
		return hub.Errorf(hub.Invalid, "Only admins can make an admin service")
	}
	for _, s := range n.allowed {
		if err := policy.Check(s); err != nil {
			return err
		}
		if s == rbac.Inherit && !room.wholeAdmin(a) || !a.Scopes.Covers(policy.Expand([]string{s}, rbac.Context{Owner: a.Owner}), a.Groups) {
			return hub.Errorf(hub.Invalid, "Not assigning requested scope %s to the service: you do not hold it", short(s))
		}
	}
	if n.NoConfirm && !room.wholeAdmin(a) {
		return hub.Errorf(hub.Forbidden, "Only admins can let a service log people in without asking them")
	}
	return nil
}

// put stores the service with its token and its OAuth client. Without a token it has no secret, and nobody can log in.
func (n newService) put(tx *store.Tx, base string) error {
	if err := tx.PutService(n.Service); err != nil || n.token == "" {
		return err
	}
	owner := hub.Owner{Kind: hub.OwnerService, Name: n.Name}
	if _, err := tx.PutTokenValue(hub.Token{Owner: owner, Scopes: []string{rbac.Inherit}, Note: "given when the service was made"}, n.token); err != nil || !n.logins {
		return err
	}
	if n.redirect == "" {
		n.redirect = base + "services/" + escape(n.Name) + "/oauth_callback"
	}
	if _, err := tx.Client(n.client); err == nil {
		return hub.Errorf(hub.Conflict, "OAuth client id %s belongs to another service", short(n.client))
	}
	return tx.PutClient(hub.Client{ID: n.client, Service: n.Name, RedirectURI: n.redirect, AllowedScopes: n.allowed, NoConfirm: n.NoConfirm,
		Description: "JupyterHub service " + n.Name}, n.token)
}

// deleteService answers DELETE /hub/api/services/X. What the configuration names, it alone takes away.
func (room *Room) deleteService(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("service")
	var s hub.Service
	err := room.Store.Update(func(tx *store.Tx) (err error) {
		if s, err = tx.Service(name); err != nil || s.Configured {
			return err
		}
		return tx.DeleteService(name)
	})
	switch {
	case err != nil:
		return err
	case s.Configured:
		return notAllowed(w, "Service "+name+" is not modifiable at runtime: the configuration names it")
	case s.URL != "":
		_ = room.Daemon.Resync(r.Context()) // as above, ignoring
	}
	return blank(w, http.StatusOK, "application/json")
}
