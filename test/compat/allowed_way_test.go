package compat

// allowedOnTheWay are the differences that show only on the whole way, from a client to a server and back.
var allowedOnTheWay = []allowance{
	{"a path with `%00`, with bytes that are not UTF-8, or with dots for a segment, however they are spelled", "passed on: 403, 404; 500; the dots taken away", "400, from the proxy", "[who is matched is who is asked](decisions/paths.md)",
		[]string{`^(GET|POST) /(users|groups|services)/(alice/servers/)?%00 \| `, `^GET /users/%FF%FE \| status \| 500 \| 400$`,
			`^GET /users/(alice/servers/)?(\.\.%2F|%2e%2e)\S* \| status \| (200|403|404) \| 400$`}},
	{"/user/U/… while that server does not run, to a browser", "a redirect of the hub's, with its headers", "the same redirect, of the proxy's", "the proxy knows that nobody is there",
		[]string{`^GET \./user/alice/\S* \| (X-Jupyterhub-Version \| 6\.1\.1|Access-Control-Allow-Headers \| \S+ \S+ \S+|Content-Security-Policy \| .*) \| $`}},
	{"`last_activity` in GET /proxy", "to the millisecond", "to the microsecond", "it is the hub's own time",
		[]string{`^GET /proxy \| \.\S+\.data\.last_activity \| \S+\.\d{3}Z \| <time>$`}},
	{"GET /services", "what the configuration names", "`idle-culler` besides", "the culler is a service that is always there",
		[]string{`^GET /services \| \.idle-culler \| absent \|`}},
}
