package main

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/store"
)

// configuredNote marks the token of a service that its api_token_file holds: when the file holds another one, this one ends.
const configuredNote = "Token of the configuration"

// settleServices makes the configured services known, with their tokens and OAuth clients, and forgets those that are not
// configured any more. Those that were made over the API stay, unless the configuration wants the name.
func settleServices(tx *store.Tx, c *config.Config, secrets secrets) error {
	if err := registerCuller(tx); err != nil {
		return err
	}
	for _, s := range tx.Services() {
		wanted := slices.ContainsFunc(c.Hub.Services, func(o config.Service) bool { return o.Name == s.Name })
		if s.Name != cullerService && s.Configured != wanted && (s.Configured || wanted) {
			if err := tx.DeleteService(s.Name); err != nil {
				return err
			}
		}
	}
	for _, s := range c.Hub.Services {
		if err := settleService(tx, c, s, secrets[s.Name]); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	return nil
}

func settleService(tx *store.Tx, c *config.Config, s config.Service, token string) error {
	_, admins := rolesAdmins(c)
	err := tx.PutService(hub.Service{
		Name: s.Name, Admin: s.Admin || slices.Contains(admins, s.Name), URL: s.URL, Info: s.Info, Display: s.Display,
		NoConfirm: s.OAuthNoConfirm, Configured: true, Command: s.Command, Unit: serviceUnit(s),
	})
	if err == nil {
		err = settleToken(tx, s.Name, token)
	}
	if err == nil {
		err = settleClient(tx, c, s, token)
	}
	return err
}

// settleToken makes the service's file the only one of the configuration's tokens.
func settleToken(tx *store.Tx, service, value string) error {
	owner := hub.Owner{Kind: hub.OwnerService, Name: service}
	var kept hub.Token
	if value != "" {
		var err error
		if kept, err = tx.PutTokenValue(hub.Token{Owner: owner, Scopes: []string{"inherit"}, Note: configuredNote}, value); err != nil {
			return err
		}
	}
	for _, t := range tx.Tokens(owner) {
		if t.Note == configuredNote && t.ID != kept.ID {
			if err := tx.DeleteToken(t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleClient makes the service's OAuth client, whose secret is its token, or takes away the one that it had.
func settleClient(tx *store.Tx, c *config.Config, s config.Service, secret string) error {
	if !s.OAuth() {
		old, err := tx.ClientOfService(s.Name)
		if hub.KindOf(err) == hub.NotFound {
			return nil
		}
		if err == nil {
			err = tx.DeleteClient(old.ID)
		}
		return err
	}
	client := hub.Client{
		ID: s.OAuthClientID, Service: s.Name, RedirectURI: s.OAuthRedirectURI, AllowedScopes: s.OAuthAllowedScopes,
		NoConfirm: s.OAuthNoConfirm, Description: "JupyterHub service " + s.Name,
	}
	if client.ID == "" {
		client.ID = "service-" + url.PathEscape(s.Name)
	}
	if client.RedirectURI == "" {
		client.RedirectURI = hostsOf(c).Service(s.Name) + c.Hub.BaseURL + "services/" + url.PathEscape(s.Name) + "/oauth_callback"
	}
	if _, err := tx.Client(client.ID); secret == "" && hub.KindOf(err) == hub.NotFound {
		secret = rand.Text() // nobody's, until the service's unit is given a token
	}
	return tx.PutClient(client, secret)
}
