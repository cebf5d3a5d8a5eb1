package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/auth/pam"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/oauth"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
	proxyclient "jupyterhubd/proxy/client"
	"jupyterhubd/systemdspawner"
)

// house is the hub with its parts.
type house struct {
	daemon   *daemon.Daemon
	store    *store.Store
	spawnd   *systemdspawner.Client
	proxy    *proxyclient.Client
	manager  *spawner.Manager
	porter   *auth.Porter
	accounts *pam.Checker
	keys     crypt.Keys // of auth states; the same until a restart
	metrics  *prometheus.Registry
	started  *startup
	meters   *httpd.Meters         // of the doors
	services chan struct{}         // asks for a round of the services
	leave    chan bool             // somebody wants us to end; true: servers too
	rooms    atomic.Pointer[rooms] // exchanged by a reload

	reloading sync.Mutex // one reload at a time; guards config
	config    *config.Config
}

// wire makes the house: store, porter, workshop, rooms, hall.
func wire(d *daemon.Daemon, c *config.Config, s *store.Store, keys crypt.Keys) (*house, error) {
	h := &house{
		daemon: d, store: s, config: c, keys: keys, metrics: prometheus.NewRegistry(), leave: make(chan bool, 1), services: make(chan struct{}, 1),
		spawnd: systemdspawner.New(systemdspawner.DefaultSocket), proxy: proxyOf(c),
	}
	h.started, h.meters = register(h.metrics, s), httpd.NewMeters(h.metrics)
	rules, err := rulesOf(c)
	if err != nil {
		return nil, err
	}
	if err := requireKeys(c, keys); err != nil {
		return nil, err
	}
	tokens, err := readSecrets(c)
	if err != nil {
		return nil, err
	}
	if err := settle(s, c, tokens); err != nil {
		return nil, err
	}
	h.manager = spawner.New(spawner.Options{
		Store: s, Spawner: h.spawnd, Sleeper: h.spawnd, Router: h.proxy, Journal: h.spawnd.Journal, Ended: h.spawnd.Ended, Headroom: h.spawnd.Headroom,
		Policy: policyOf(c), URLs: urlsOf(c), Log: d.Log, Metrics: h.metrics,
		Report:    func(active int) { d.Status("%s", serving(active)) },
		Admission: func(ctx context.Context, user string) error { return h.porter.Admit(ctx, user) },
	})
	h.accounts = pam.NewChecker(pam.LoginDoor)
	h.porter, err = auth.New(auth.Options{
		Store: s, Rules: rules, Authenticator: pam.New(pam.LoginDoor), Accounts: h.accounts, Report: h.shownOut, Changer: pam.New(pam.PasswdDoor),
		Sessions: h.proxy, Evictor: h.manager, Momentary: h.manager.Momentary, BaseURL: c.Hub.BaseURL, PublicURL: publicOf(c), Hosts: hostsOf(c),
		CookieHostPrefix: hostPrefix(c), Routespec: urlsOf(c).Routespec, TurnedAway: h.turnedAway,
	})
	if err != nil {
		return nil, err
	}
	first, _, err := h.furnish(c)
	h.rooms.Store(first)
	return h, err
}

// proxyOf edits the proxy's table, which goes by hosts where users have them.
func proxyOf(c *config.Config) *proxyclient.Client {
	p := proxyclient.New(proxySocket, "")
	p.OfHub(hostsOf(c).Hub())
	return p
}

// entered tells the journal who enters a server of somebody else's.
func (h *house) entered(server hub.ServerRef, v hub.Visit) {
	h.daemon.Log.Warn().Str("user", v.By).Str("owner", server.User).Str("server", server.Server).Msg("somebody enters a server of somebody else's")
}

// unreadable tells the journal whose auth state does not open.
func (h *house) unreadable(user string, err error) {
	h.daemon.Log.Warn().Str("user", user).Err(err).Msg("an auth state is not shown")
}

// shownOut tells the journal whose account does not stay in.
func (h *house) shownOut(user, why string, err error) {
	if err != nil {
		h.daemon.Log.Error().Str("user", user).Err(err).Str("why", why).Msg("a user whose account may not be used cannot be shown out, trying again")
		return
	}
	h.daemon.Log.Warn().Str("user", user).Str("why", why).Msg("sessions, tokens and servers of a user have ended")
}

// turnedAway tells the journal who may not be any longer where they were.
func (h *house) turnedAway(user string, from hub.Client, err error) {
	event := h.daemon.Log.Info()
	if err != nil {
		event = h.daemon.Log.Error().Err(err)
	}
	event = event.Str("user", user)
	if from.Service != "" {
		event = event.Str("service", from.Service)
	} else {
		event = event.Str("owner", from.Server.User).Str("server", from.Server.Server)
	}
	if err != nil {
		event.Msg("a user may not be in a server or service any more and cannot be turned away, trying again")
		return
	}
	event.Msg("a user may not be in a server or service any more, and was turned away")
}

// rooms are what a configuration makes of the rooms: a reload makes new ones, and requests under way end in the old.
type rooms struct {
	hall     *httpd.Hall
	handlers [3]http.Handler // by door
}

// The doors behind which requests come to the hall.
const (
	browsers = iota
	servers
	admins
)

// door leads to a door's handler of the rooms as they are now.
func (h *house) door(which int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.rooms.Load().handlers[which].ServeHTTP(w, r) })
}

// furnish makes rooms and rules for a configuration, and changes nothing. What the rooms measure begins at zero, as after a
// restart.
func (h *house) furnish(c *config.Config) (*rooms, auth.Rules, error) {
	rules, err := rulesOf(c)
	if err != nil {
		return nil, rules, err
	}
	measured := prometheus.NewRegistry()
	desk := api.New(h.apiOptions(c))
	pages, err := web.New(h.webOptions(c, desk))
	if err != nil {
		return nil, rules, err
	}
	clients := oauth.New(oauth.Options{Store: h.store, Policy: h.porter.Policy, Pages: pages, TokenTTL: tokenLife(c), RequirePKCE: c.Hub.OAuthRequirePKCE, Entered: h.entered})
	hall, err := httpd.New(httpd.Options{
		BaseURL: c.Hub.BaseURL, Porter: h.porter, Pages: pages, Log: h.daemon.Log, Deeds: h.audit,
		API:           append(desk.Routes(), clients.API()...),
		Browser:       append(pages.Routes(), clients.Pages()...),
		Metrics:       measured,
		Gatherer:      prometheus.Gatherers{h.metrics, measured},
		PublicMetrics: !c.Hub.AuthenticatePrometheus,
		Headers:       c.Hub.Headers,
		LegacyStopped: c.Hub.UseLegacyStatusCode,
	})
	if err != nil {
		return nil, rules, err
	}
	return &rooms{hall, [...]http.Handler{browsers: hall.Browser(), servers: hall.API(), admins: hall.Admin()}}, rules, nil
}

func (h *house) apiOptions(c *config.Config) api.Options {
	return api.Options{
		Store: h.store, Workshop: h.manager, Limiter: h.spawnd, Proxy: h.proxy, Daemon: h, Doorman: h.porter, Policy: h.porter.Policy,
		BaseURL: c.Hub.BaseURL, Hosts: hostsOf(c), PublicOrigin: origin(publicOf(c)),
		SlowSpawn: c.Hub.SlowSpawnTimeout.Std(), SlowStop: c.Hub.SlowStopTimeout.Std(),
		PageLimit: int(c.Hub.APIPageDefaultLimit), PageMax: int(c.Hub.APIPageMaxLimit),
		TokenMax: tokenMax(c), NamedServers: c.Hub.AllowNamedServers, InsecureHTTP: c.Hub.InsecureHTTP,
		Names:      account.Names(c.Authenticator.UsernamePattern),
		Unreadable: h.unreadable,
		Parts: api.Parts{
			Spawner:       client.Component{Class: "systemdspawner", Version: hub.Version},
			Authenticator: client.Component{Class: c.Authenticator.Kind, Version: hub.Version},
		},
	}
}

func (h *house) webOptions(c *config.Config, desk *api.Room) web.Options {
	o := web.Options{
		Store: h.store, Porter: h.porter, Workshop: h.manager, Directory: desk,
		BaseURL: c.Hub.BaseURL, Hosts: hostsOf(c), DefaultURL: c.Hub.DefaultURL, RedirectToServer: c.Hub.RedirectToServer,
		NamedServers: c.Hub.AllowNamedServers, NamedServerLimit: int(c.Hub.NamedServerLimitPerUser), ShutdownOnLogout: c.Hub.ShutdownOnLogout, AdminGroups: c.Authenticator.AdminGroups, InsecureHTTP: c.Hub.InsecureHTTP,
		TokenMax: tokenMax(c), PageSize: int(c.Hub.APIPageDefaultLimit),
		DefaultServerName: c.Hub.DefaultServerName, ImplicitSpawn: c.Hub.ImplicitSpawnSeconds.Std(),
		OptionsForm: c.Spawner.OptionsForm, SimpleOptions: c.Spawner.OptionsFromForm == "simple", LogoFile: c.Hub.LogoFile, Announcements: c.Hub.TemplateVars,
	}
	o.Offers = h.spawnd.Profiles
	o.Shutdown = func(stopServers bool) { h.Shutdown(&stopServers) }
	for _, p := range c.Spawner.Profiles {
		o.Profiles = append(o.Profiles, web.Profile{Name: p.Name, DisplayName: p.DisplayName, Description: p.Description})
	}
	return o
}
