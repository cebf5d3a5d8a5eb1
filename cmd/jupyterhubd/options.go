package main

import (
	"cmp"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/spawner"
)

// Where the proxy finds us, and we it. Socket units say the same.
const (
	hubSocket   = "/run/jupyterhub/hub.sock"
	proxySocket = "/run/jupyterhub-proxy/api.sock"
)

// stateFile is the database, in what StateDirectory= of our unit says.
func stateFile() string {
	dir := os.Getenv("STATE_DIRECTORY")
	if dir == "" {
		dir = "/var/lib/jupyterhub"
	}
	return filepath.Join(dir, "jupyterhub.db")
}

// policyOf is what the workshop goes by.
func policyOf(c *config.Config) spawner.Policy {
	p := spawner.DefaultPolicy()
	p.StartTimeout, p.HTTPTimeout = c.Spawner.StartTimeout.Std(), c.Spawner.HTTPTimeout.Std()
	p.ConcurrentSpawnLimit, p.ActiveServerLimit = int(c.Hub.ConcurrentSpawnLimit), int(c.Hub.ActiveServerLimit)
	p.SpawnQueueLimit = int(c.Hub.SpawnQueueLimit)
	p.Reserve = spawner.Reserve{
		Memory: int64(c.Hub.SpawnMemoryReserve), MemoryPressure: c.Hub.SpawnMemoryPressure,
		IOPressure: c.Hub.SpawnIOPressure, CPUPressure: c.Hub.SpawnCPUPressure,
	}
	p.AllowNamedServers, p.NamedServerLimitPerUser = c.Hub.AllowNamedServers, int(c.Hub.NamedServerLimitPerUser)
	p.ServerTokenScopes, p.OAuthClientAllowedScopes = c.Spawner.ServerTokenScopes, c.Spawner.OAuthClientAllowedScopes
	p.BusyCPU, p.BusyKernels, p.CullAfter = c.Spawner.BusyCPU, c.Spawner.BusyKernels.Std(), c.Culler.Timeout.Std()
	p.Quota = spawner.Quota{CPUHours: c.Hub.DailyCPUHours, MemoryHours: c.Hub.DailyGiBHours}
	p.SleepAfter = map[string]time.Duration{"": c.Spawner.SleepAfter.Std()}
	for _, profile := range c.Spawner.Profiles {
		p.SleepAfter[profile.Name] = cmp.Or(profile.SleepAfter, c.Spawner.SleepAfter).Std()
		if profile.StartAtBoot {
			p.StartAtBoot = append(p.StartAtBoot, profile.Name)
		}
	}
	return p
}

func urlsOf(c *config.Config) spawner.URLs {
	return spawner.URLs{
		Base: c.Hub.BaseURL, Hub: "http+unix://" + url.PathEscape(hubSocket), API: origin(c.Hub.HubConnectURL), Public: origin(publicOf(c)),
		Hosts: hostsOf(c), CookieHostPrefix: hostPrefix(c),
	}
}

// publicOf is the address that browsers use, as far as it is configured.
func publicOf(c *config.Config) string {
	if h := hostsOf(c); c.Hub.PublicURL == "" && h.Apart() {
		return h.Hub() + c.Hub.BaseURL
	}
	return c.Hub.PublicURL
}

// hostPrefix reports whether names of cookies begin with __Host-. Pages at hosts below the hub's could plant all others.
func hostPrefix(c *config.Config) bool { return c.Hub.CookieHostPrefix || hostsOf(c).Secure() }

// hostsOf is where users and services are.
func hostsOf(c *config.Config) hosts.Hosts {
	h, err := hosts.New(c.Hub.SubdomainHost, c.Hub.SubdomainHook)
	if err != nil {
		panic("jupyterhubd: " + err.Error()) // the configuration is checked
	}
	return h
}

// origin is the scheme and host of a checked URL, or "".
func origin(checked string) string {
	u, err := url.Parse(checked)
	if err != nil || checked == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func rulesOf(c *config.Config) (auth.Rules, error) {
	policy, err := policyOfRoles(c)
	admins, _ := rolesAdmins(c)
	return auth.Rules{
		Policy: policy, AdminGroups: c.Authenticator.AdminGroups, AdminUsers: append(admins, c.Authenticator.AdminUsers...),
		AccountAge: accountAge(c), DeleteInvalidUsers: c.Authenticator.DeleteInvalidUsers, KeepAuthState: c.Authenticator.EnableAuthState,
		CookieMaxAge: loginLife(c), ActivityResolution: c.Hub.ActivityResolution.Std(),
	}, err
}

// accountAge is how long it is remembered that an account may be used; less than nothing: nobody looks.
func accountAge(c *config.Config) time.Duration {
	if c.Authenticator.AuthRefreshAge == 0 {
		return -1
	}
	return c.Authenticator.AuthRefreshAge.Std()
}

// loginLife is how long a browser's login lasts.
func loginLife(c *config.Config) time.Duration {
	return time.Duration(c.Hub.CookieMaxAgeDays * 24 * float64(time.Hour))
}

// tokenMax is the longest that a token may last which somebody makes; 0: no limit.
func tokenMax(c *config.Config) time.Duration {
	return time.Duration(c.Hub.TokenExpiresInMax) * time.Second
}

// tokenLife is how long a token lasts that a server or service gets for a visitor.
func tokenLife(c *config.Config) time.Duration {
	if c.Hub.OAuthTokenExpiresIn == 0 {
		return loginLife(c)
	}
	return c.Hub.OAuthTokenExpiresIn.Std()
}
