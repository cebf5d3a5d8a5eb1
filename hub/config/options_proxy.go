package config

// Proxy is [proxy].
type Proxy struct {
	TLSCertificate   string
	TLSKey           string
	TLSCertificates  map[string]string // file with the chain to file with the key
	ACMEDomains      []string
	ACMEEmail        string
	ACMEDirectory    string
	ACMERoots        string
	HSTSMaxAge       Duration // 0: not sent
	RedirectPort     int64    // 0: none
	RedirectToPort   int64
	DrainTimeout     Duration
	WebSocketSilence Duration // 0: however long
	TrustedProxies   []string

	MaxConnectionsPerClient int64 // 0: no bound, as for the five below
	RequestRatePerClient    int64
	MaxRequestsPerUser      int64
	MaxWebSocketsPerUser    int64
	RequestRatePerUser      int64
	SlowClientMemory        Bytes
}

var proxyOptions = []row[Proxy]{
	option("tls_certificate", text, "", func(p *Proxy) *string { return &p.TLSCertificate },
		"File with the certificate and those that lead to its root, in PEM; empty is plain HTTP.", emptyOr(absolute)).
		note("The files are read again when they have changed, within a second and without a reload; a pair that is no good leaves " +
			"the old one in use, with a line in the journal. jupyterhub-proxy must be able to read both."),
	option("tls_key", text, "", func(p *Proxy) *string { return &p.TLSKey },
		"File with the certificate's private key, in PEM.", emptyOr(absolute)),
	option("tls_certificates", names, map[string]string{}, func(p *Proxy) *map[string]string { return &p.TLSCertificates },
		"More certificates, each file with that of its key; which one a browser gets, the name decides that it asks for.", filePairs).
		note(`For example { "/etc/ssl/lab.pem" = "/etc/ssl/lab.key" }. Browsers that ask for none of the names get tls_certificate.`),
	option("acme_domains", texts, nil, func(p *Proxy) *[]string { return &p.ACMEDomains },
		"Names for which certificates are got and renewed by ACME, from Let's Encrypt unless acme_directory says otherwise.", every(domain)).
		note("To name one agrees to the authority's terms of service. The names have to lead to this machine, and the authority has to reach " +
			"port 443 (TLS-ALPN-01) or port 80 (HTTP-01, see redirect_port) of it."),
	option("acme_email", text, "", func(p *Proxy) *string { return &p.ACMEEmail },
		"Where the certificate authority may write to."),
	option("acme_directory", text, "https://acme-v02.api.letsencrypt.org/directory", func(p *Proxy) *string { return &p.ACMEDirectory },
		"Address of the certificate authority's ACME directory.", webURL),
	option("acme_roots", text, "", func(p *Proxy) *string { return &p.ACMERoots },
		"File with the roots that acme_directory's own certificate leads to, in PEM; empty is the system's.", emptyOr(absolute)),
	option("hsts_max_age", span, seconds(180*24*3600), func(p *Proxy) *Duration { return &p.HSTSMaxAge },
		"How long a browser that has come over https shall refuse http; 0 tells it nothing.").
		note("Sent with TLS of the proxy's own alone, as Strict-Transport-Security."),
	option("redirect_port", count, 80, func(p *Proxy) *int64 { return &p.RedirectPort },
		"With TLS, a port of jupyterhub-proxy.socket that stays plain and sends browsers to https; 0 is none.", within(0, 65535)).
		note("The port itself is opened by systemctl edit jupyterhub-proxy.socket, with another ListenStream= line."),
	option("redirect_to_port", count, 443, func(p *Proxy) *int64 { return &p.RedirectToPort },
		"The port of https that browsers are sent to.", within(1, 65535)),
	option("drain_timeout", span, seconds(24*3600), func(p *Proxy) *Duration { return &p.DrainTimeout },
		"How long connections may stay at a proxy that another has followed, by systemctl reload jupyterhub-proxy.", spanAtLeast(seconds(1))).
		note("Only WebSockets over TLS take long: plain ones move to the new process at once. After this time they are closed, and browsers open new ones."),
	option("websocket_silence", span, 0, func(p *Proxy) *Duration { return &p.WebSocketSilence },
		"Close a WebSocket whose client has said nothing for so long, not even the answer to a ping; 0 is never.",
		zeroOr(seconds(60), Duration.String)).
		note("Clients that are gone are found without it, within two minutes, unless they came through another proxy that keeps their connections. " +
			"jupyterhub-singleuser pings every 30 s; a server behind it that never pings has quiet clients that are well."),
	option("trusted_proxies", texts, nil, func(p *Proxy) *[]string { return &p.TrustedProxies },
		"Addresses and networks of proxies in front of this one, whose X-Forwarded-* headers are believed.", every(network)),
	option("max_connections_per_client", count, 4096, func(p *Proxy) *int64 { return &p.MaxConnectionsPerClient },
		"Open connections of one address, or of one /64 of IPv6; 0 is no bound.", atLeast(0)).
		note("This machine itself and trusted_proxies count for nobody. What is over it is told 503 where TLS leaves that to be told, and closed."),
	option("request_rate_per_client", count, 5000, func(p *Proxy) *int64 { return &p.RequestRatePerClient },
		"Requests a second of one address, or of one /64 of IPv6; 0 is no bound.", within(0, 1_000_000)).
		note("A whole class may sit behind one address. Two seconds' worth may come at once; what comes faster is held back for up to a second, and then told 503. " +
			"A thousand connections of one address are let in a second, the others wait."),
	option("max_requests_per_user", count, 1024, func(p *Proxy) *int64 { return &p.MaxRequestsPerUser },
		"Requests to one user's servers, the named ones included, or to one service, that are under way at once; 0 is no bound.", atLeast(0)).
		note("What is over it is told 503 at once. A request's head takes at most 128 KiB, so that this bounds their memory as well."),
	option("max_websockets_per_user", count, 1024, func(p *Proxy) *int64 { return &p.MaxWebSocketsPerUser },
		"Open WebSockets to one user's servers, the named ones included, or to one service; 0 is no bound.", atLeast(0)),
	option("slow_client_memory", size, 256<<20, func(p *Proxy) *Bytes { return &p.SlowClientMemory },
		"What clients may hold of the proxy's memory by being slow, all of them together; 0 is no bound.", zeroOr(Bytes(16<<20), Bytes.String)).
		note("One address, or one /64 of IPv6, may hold a quarter of it. One half is for connections whose request is not here yet, the other one for bodies " +
			"and answers that come or go in pieces. When it is used up, those connections are closed with which nothing has moved for the longest time."),
	option("request_rate_per_user", count, 1000, func(p *Proxy) *int64 { return &p.RequestRatePerUser },
		"Requests a second to one user's servers, the named ones included, or to one service; 0 is no bound.", within(0, 1_000_000)).
		note("A fifth of a second's worth may come at once, which is more than a browser has under way; what comes faster is held back for up to a second, " +
			"and then told 503. A connection on which that was said is not read for a second or more. A route that is neither a user's nor a service's is bounded by itself. Below the bound few requests of one user are at work at once; with 0 as many as come."),
}

// Culler is [culler], what jupyterhub-idle-culler does unless its command line says otherwise.
type Culler struct {
	Timeout            Duration
	MaxAge             Duration // 0: none
	CullUsers          bool
	CullAdminUsers     bool
	CullDefaultServers bool
	CullNamedServers   bool
	RemoveNamedServers bool
	Concurrency        int64
	APIPageSize        int64 // 0: the hub's own
}

var cullerOptions = each(AtPass, []row[Culler]{
	option("timeout", span, seconds(3600), func(c *Culler) *Duration { return &c.Timeout },
		"A server without activity for this long is stopped.", spanAtLeast(seconds(1))).
		note("Servers report activity every five minutes, so less than six minutes stops servers that are in use."),
	option("max_age", span, 0, func(c *Culler) *Duration { return &c.MaxAge },
		"A server older than this is stopped even while it is in use; 0 is never."),
	option("cull_users", boolean, false, func(c *Culler) *bool { return &c.CullUsers },
		"Also remove users from the hub who have been idle for timeout; their accounts stay.").
		note("With it the culler's role gets scope admin:users too."),
	option("cull_admin_users", boolean, true, func(c *Culler) *bool { return &c.CullAdminUsers },
		"Whether cull_users may remove admins."),
	option("cull_default_servers", boolean, true, func(c *Culler) *bool { return &c.CullDefaultServers },
		"Whether idle default servers are stopped."),
	option("cull_named_servers", boolean, true, func(c *Culler) *bool { return &c.CullNamedServers },
		"Whether idle named servers are stopped."),
	option("remove_named_servers", boolean, false, func(c *Culler) *bool { return &c.RemoveNamedServers },
		"Forget named servers that were stopped for being idle."),
	option("concurrency", count, 10, func(c *Culler) *int64 { return &c.Concurrency },
		"Most requests to the hub at one time.", within(1, 1000)),
	option("api_page_size", count, 0, func(c *Culler) *int64 { return &c.APIPageSize },
		"Users asked for at a time; 0 is the hub's own page size.", atLeast(0)),
})
