package config

// Proxy is [proxy].
type Proxy struct {
	TLSCertificate string
	TLSKey         string
	TrustedProxies []string
}

var proxyOptions = []row[Proxy]{
	option("tls_certificate", text, "", func(p *Proxy) *string { return &p.TLSCertificate },
		"File with the certificate and those that lead to its root, in PEM; empty is plain HTTP.", emptyOr(absolute)).
		note("The file is read again at a reload; jupyterhub-proxy must be able to read it."),
	option("tls_key", text, "", func(p *Proxy) *string { return &p.TLSKey },
		"File with the certificate's private key, in PEM.", emptyOr(absolute)),
	option("trusted_proxies", texts, nil, func(p *Proxy) *[]string { return &p.TrustedProxies },
		"Addresses and networks of proxies in front of this one, whose X-Forwarded-* headers are believed.", every(network)),
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
