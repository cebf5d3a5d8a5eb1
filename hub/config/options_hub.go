package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Hub is [hub].
type Hub struct {
	BaseURL                 string
	PublicURL               string
	SubdomainHost           string // "": one host for all
	SubdomainHook           string
	InsecureHTTP            bool
	HubConnectURL           string
	CookieMaxAgeDays        float64
	OAuthTokenExpiresIn     Duration // 0: as long as a login
	TokenExpiresInMax       int64    // seconds; 0: no limit
	AuthenticatePrometheus  bool
	ActivityResolution      Duration
	APIPageDefaultLimit     int64
	APIPageMaxLimit         int64
	AllowNamedServers       bool
	NamedServerLimitPerUser int64 // 0: no limit
	ConcurrentSpawnLimit    int64 // 0: no limit
	ActiveServerLimit       int64 // 0: no limit
	SpawnQueueLimit         int64 // 0: no limit
	SpawnMemoryReserve      Bytes
	SpawnMemoryPressure     float64 // per cent, as those below; 0: whatever it is
	SpawnIOPressure         float64
	SpawnCPUPressure        float64
	DailyCPUHours           float64 // 0: no limit
	DailyGiBHours           float64 // 0: no limit
	DefaultURL              string
	RedirectToServer        bool
	ShutdownOnLogout        bool
	SlowSpawnTimeout        Duration
	SlowStopTimeout         Duration
	UseLegacyStatusCode     bool

	CookieHostPrefix     bool
	OAuthRequirePKCE     bool
	TrustedDownstreamIPs []string
	Headers              map[string]string
	DefaultServerName    string
	ImplicitSpawnSeconds Duration // 0: never
	InitSpawnersTimeout  Duration
	LogoFile             string
	TemplateVars         map[string]string
	ExtraUserScopes      []string
	LoadRoles            []Role
	CustomScopes         map[string]Scope
	LoadGroups           map[string]Group
	Services             []Service
}

var hubOptions = []row[Hub]{
	option("base_url", text, "/", func(h *Hub) *string { return &h.BaseURL },
		"Path under which everything lives; begins and ends with a slash.", basePath).applies(AtRestart),
	option("public_url", text, "", func(h *Hub) *string { return &h.PublicURL },
		"Address that browsers use, when the hub cannot see it; ends with base_url.", emptyOr(webURL)).applies(AtRestart).
		note("With an https address, cookies are marked Secure whatever the connection looks like. Empty: taken from each request, or from subdomain_host."),
	option("subdomain_host", text, "", func(h *Hub) *string { return &h.SubdomainHost },
		"The hub's own address, such as \"https://hub.example.org\", below which each user and each service get a host of their own; empty is one host for all.",
		emptyOr(siteURL)).applies(AtRestart).
		note("Alice's servers are then at https://alice.hub.example.org: no page of hers can reach into the hub or into anybody else's server. It wants a wildcard record " +
			"in the DNS and a wildcard certificate, which acme_domains does not get, and a restart of jupyterhub-proxy as well."),
	option("subdomain_hook", text, "idna", func(h *Hub) *string { return &h.SubdomainHook },
		"How a name becomes the name of a host: \"idna\", or \"legacy\" as JupyterHub did before 5.0.", oneOf("idna", "legacy")).applies(AtRestart).
		note("With \"idna\" a name that cannot stand in a host's, such as jo@ex.org, becomes u-joexorg--dc9ec2b. \"legacy\" keeps people less well apart: " +
			"names that differ in case share a host, and so do all services; a user who is called services is at u-services--ef1c4b4."),
	option("insecure_http", boolean, false, func(h *Hub) *bool { return &h.InsecureHTTP },
		"Let people log in over plain HTTP from other machines; their passwords can then be read on the way.").
		note("Without it the login form gives way to a page that names the remedy: a certificate in [proxy], or a trusted proxy that says https."),
	option("hub_connect_url", text, "http://127.0.0.1:8081", func(h *Hub) *string { return &h.HubConnectURL },
		"Where servers reach the token API; must match jupyterhub-api.socket.", webURL).applies(AtRestart),

	option("cookie_max_age_days", real, 14, func(h *Hub) *float64 { return &h.CookieMaxAgeDays },
		"Days for which a login holds.", realWithin(0.001, 3650)),
	option("cookie_host_prefix_enabled", boolean, false, func(h *Hub) *bool { return &h.CookieHostPrefix },
		"Put __Host- before the names of cookies, so that no page of another host or port can plant one; wants HTTPS.").applies(AtRestart).
		note("Servers do the same with theirs from their next start on. With an https subdomain_host it is always so."),
	option("oauth_require_pkce", boolean, false, func(h *Hub) *bool { return &h.OAuthRequirePKCE },
		"Refuse logins to servers and services without PKCE; keeps out clients before JupyterHub 6."),
	option("oauth_token_expires_in", span, 0, func(h *Hub) *Duration { return &h.OAuthTokenExpiresIn },
		"How long a browser's token for one server or service holds; 0 is as long as its login."),
	option("token_expires_in_max_seconds", count, 0, func(h *Hub) *int64 { return &h.TokenExpiresInMax },
		"Longest life of a token made through the API or the token page, in seconds; 0 is no limit.", atLeast(0)),
	option("authenticate_prometheus", boolean, true, func(h *Hub) *bool { return &h.AuthenticatePrometheus },
		"Whether /hub/metrics asks for a token with scope read:metrics."),

	option("trusted_downstream_ips", texts, nil, func(h *Hub) *[]string { return &h.TrustedDownstreamIPs },
		"Addresses and networks of proxies in front of ours; the same as trusted_proxies in [proxy].", every(network)),
	option("headers", names, nil, func(h *Hub) *map[string]string { return &h.Headers },
		"Headers of every answer of the hub in place of its own, as headers of JupyterHub's tornado_settings.", headers),

	option("activity_resolution", span, seconds(30), func(h *Hub) *Duration { return &h.ActivityResolution },
		"A request moves last_activity only when that is older than this."),
	option("api_page_default_limit", count, 50, func(h *Hub) *int64 { return &h.APIPageDefaultLimit },
		"Entries in a page of the API, for clients that ask for pages.", atLeast(1)),
	option("api_page_max_limit", count, 200, func(h *Hub) *int64 { return &h.APIPageMaxLimit },
		"Most entries in one reply of the API.", within(1, 10000)),

	option("allow_named_servers", boolean, false, func(h *Hub) *bool { return &h.AllowNamedServers },
		"Let users have several servers, each with a name."),
	option("named_server_limit_per_user", count, 0, func(h *Hub) *int64 { return &h.NamedServerLimitPerUser },
		"Most named servers that one user may have, stopped ones included; 0 is no limit.", atLeast(0)),
	option("default_server_name", text, "", func(h *Hub) *string { return &h.DefaultServerName },
		"Named server that addresses below /hub/user-redirect/ lead to; empty is the default server.", emptyOr(serverName)),
	option("concurrent_spawn_limit", count, 100, func(h *Hub) *int64 { return &h.ConcurrentSpawnLimit },
		"Most servers that start at one time; the rest wait in a queue; 0 is no limit.", atLeast(0)),
	option("active_server_limit", count, 0, func(h *Hub) *int64 { return &h.ActiveServerLimit },
		"Most servers that run at one time; the rest wait in the queue until some are stopped; 0 is no limit.", atLeast(0)),
	option("spawn_queue_limit", count, 1000, func(h *Hub) *int64 { return &h.SpawnQueueLimit },
		"Most servers that wait in the queue; over it a start is refused with 429; 0 is no limit.", atLeast(0)),
	option("spawn_memory_reserve", size, 128<<20, func(h *Hub) *Bytes { return &h.SpawnMemoryReserve },
		"Memory that must stay free for a start's turn to come; 0 starts whatever is free.").
		note("Free is what the machine, or jupyter.slice where it has a limit, can give without swapping, less 128M for each server that is starting."),
	option("spawn_memory_pressure", real, 40, func(h *Hub) *float64 { return &h.SpawnMemoryPressure },
		"Per cent of time that all work stood still for want of memory, over which starts wait; 0 does not ask.", realWithin(0, 100)).
		note("From /proc/pressure, where the kernel has it (PSI, the average of ten seconds)."),
	option("spawn_io_pressure", real, 0, func(h *Hub) *float64 { return &h.SpawnIOPressure },
		"The same of disks; 0 does not ask.", realWithin(0, 100)),
	option("spawn_cpu_pressure", real, 0, func(h *Hub) *float64 { return &h.SpawnCPUPressure },
		"Per cent of time that some work waited for a processor, over which starts wait; 0 does not ask.", realWithin(0, 100)),
	option("daily_cpu_hours", real, 0, func(h *Hub) *float64 { return &h.DailyCPUHours },
		"Hours of processor time that a user's servers may use in a day; over it none is started until midnight; 0 is no limit.", realWithin(0, 1e6)),
	option("daily_gib_hours", real, 0, func(h *Hub) *float64 { return &h.DailyGiBHours },
		"The same of memory, in GiB times hours; 0 is no limit.", realWithin(0, 1e6)).
		note("What was used is kept by user and day: jupyterhub usage."),

	option("default_url", text, "", func(h *Hub) *string { return &h.DefaultURL },
		"Page after login, such as \"/hub/home\"; empty is the user's server.", emptyOr(urlPath)),
	option("redirect_to_server", boolean, true, func(h *Hub) *bool { return &h.RedirectToServer },
		"Send people to their server after login, starting it if need be; else to the home page."),
	option("implicit_spawn_seconds", span, 0, func(h *Hub) *Duration { return &h.ImplicitSpawnSeconds },
		"After how long the page of a server that does not run starts it; 0 is never."),
	option("shutdown_on_logout", boolean, false, func(h *Hub) *bool { return &h.ShutdownOnLogout },
		"Stop a user's servers at logout."),
	option("slow_spawn_timeout", span, seconds(10), func(h *Hub) *Duration { return &h.SlowSpawnTimeout },
		"How long an API call to start a server waits before it answers 202; the start goes on."),
	option("slow_stop_timeout", span, seconds(10), func(h *Hub) *Duration { return &h.SlowStopTimeout },
		"How long an API call to stop a server waits before it answers 202; the stop goes on."),
	option("use_legacy_stopped_server_status_code", boolean, false, func(h *Hub) *bool { return &h.UseLegacyStatusCode },
		"Answer 503 and not 424 for a server that does not run, as JupyterLab before 3.2 wants."),
	option("init_spawners_timeout", span, seconds(10), func(h *Hub) *Duration { return &h.InitSpawnersTimeout },
		"How long a start of the hub waits to see what runs before it lets browsers in.").applies(AtRestart),

	option("logo_file", text, "", func(h *Hub) *string { return &h.LogoFile },
		"Picture on top of the pages, SVG, PNG, JPEG, GIF or WebP; empty is JupyterHub's.", emptyOr(absolute)),
	option("template_vars", names, nil, func(h *Hub) *map[string]string { return &h.TemplateVars },
		"Announcements on the pages: announcement, announcement_login, _home, _spawn, _logout.", announcements).
		note("A page's own replaces the general one. They are text; an address in them becomes a link."),

	option("extra_user_scopes", texts, nil, func(h *Hub) *[]string { return &h.ExtraUserScopes },
		"Scopes that every user has besides those of the role user, such as \"shares!user\"."),
}

// headerPattern is a field name of RFC 9110, 5.1.
var headerPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func headers(table map[string]string) error {
	for name, value := range table {
		if !headerPattern.MatchString(name) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return fmt.Errorf("holds %q, which is no header; it wants one such as X-Frame-Options with one line of text", name)
		}
	}
	return nil
}

var serverPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func serverName(s string) error {
	if len(s) > 30 || !serverPattern.MatchString(s) {
		return fmt.Errorf("is %q; it wants lower-case letters, digits and single dashes, at most 30", s)
	}
	return nil
}

func seconds(n int64) Duration { return Duration(n * 1e9) }
