package compat

// allowance is a difference that is meant, or several of one cause.
type allowance struct {
	request, upstream, ours, why string // its row in docs/compatibility.md

	// seen are patterns of the differences, spelled "METHOD path [body] | facet | upstream | ours" (difference.about). Each must
	// occur, and no difference may occur that none of them matches.
	seen []string
}

// allowed are all differences that conversations may show.
var allowed = []allowance{
	{"any, refused without a word of its own", `"message": null`, "a sentence", "a script can show it",
		[]string{`^\S+ \S+( \[.*\])? \| \.message \| null \| a sentence$`}},
	{"a body over 1 MiB", "read, up to 100 MB", "413 for who may ask, after it was read; 413 at once over 16 MiB", "nothing that is asked for is that long",
		[]string{`\[too large\] \| status \| \d+ \| 413$`}},
	{"a body that is JSON but no object", "500, 400, or what goes before: 404, 409", "400", "it is one rule everywhere",
		[]string{`\[a list\] \| status \| (500|409) \| 400$`, `^DELETE /users/alice/server \| status \| 500 \| 400$`}},
	{"a body that is false in Python's eyes: `[]`, `0`, `\"\"`", "taken for none", "400; `null` is taken for none", "only null says nothing",
		[]string{`^POST /users/alice/(server|tokens) \| status \| 201 \| 400$`}},
	{"pages, `/hub/health` and `/hub/api/metrics`: Content-Security-Policy", "frames and reports", "scripts, styles, images too: only the hub's own", "a page of ours needs no more",
		[]string{`^(GET|HEAD) \S+ \| Content-Security-Policy \| frame-ancestors 'none'; report-uri /hub/security/csp-report \| frame-ancestors 'none'; report-uri /hub/security/csp-report; default-src `}},
	{"POST to a page that has no POST, without an XSRF token", "403", "405", "nothing is there to be protected",
		[]string{`^POST /health \| status \| 403 \| 405$`}},
	{"GET /info", "Python and its classes", "`python` and `sys_executable` empty; ours are named", "there is no Python",
		[]string{`^GET /info \| \.(python|sys_executable|spawner\.class|spawner\.version|authenticator\.class|authenticator\.version) \|`}},
	{"`/hub/api/metrics`, refused", "a page", "JSON", "it is below /hub/api",
		[]string{`^GET /metrics \| Content-Type \| text/html \| application/json$`}},
	{"metrics: Content-Type", "text, version 1.0.0", "text, version 0.0.4, or what the scraper accepts", "it is what Prometheus' library says",
		[]string{`^GET /metrics \| Content-Type \| text/plain; version=1.0.0; charset=utf-8 \| text/plain; version=0.0.4; charset=utf-8`}},
	{"error pages", "set `_xsrf` and `jupyterhub-session-id`, even where a token asked", "set no cookie, and say `no-store`", "nothing on them needs one",
		[]string{`^GET \S+ \| Set-Cookie \| _xsrf Path=/hub/.* \| $`, `^GET \S+ \| Cache-Control \|  \| no-store$`}},
	{"pages: Content-Type", "text/html", "text/html; charset=utf-8", "pages are UTF-8 whoever reads them",
		[]string{`^GET \S+ \| Content-Type \| text/html \| text/html; charset=utf-8$`}},
	{"GET /proxy", "targets are ports", "targets are Unix sockets, `http+unix://…`", "no other user can take a socket's place",
		[]string{`^GET /proxy \| \.\S+\.target \|`}},
	{"`user_options` of a default server that never ran", "null, and `{}` once somebody looked", "null", "it is upstream's memory that differs",
		[]string{`user_options \| \{\} \| null$`}},
	{"`state` of a server", "what the spawner class keeps; null before somebody looked", "unit, profile, uid and state", "it is what an admin looks for",
		[]string{`state \| null \| \{"state":"stopped","uid":0\}$`, `state\.(state|uid|unit) \| absent \|`}},
	{"`failure` of a server, `cause` of the last event", "–", "why it ended, in a sentence", "nobody has to search a journal",
		[]string{`\.failure \| absent \|`, `\.cause \| absent \|`}},
	{"progress of a server that is stopped", "400, and 404 before somebody looked", "404", "it is upstream's memory that differs",
		[]string{`^GET /users/alice/servers?(/lab)?/progress \| status \| 400 \| 404$`}},
	{"an `offset` beyond 64 bits; a token id beyond them; `expires_in` beyond the calendar", "500", "400; 404; 400", "Python's numbers have no end, sqlite's and the calendar's do",
		[]string{`^GET /users\?offset=9+ \| status \| 500 \| 400$`, `^GET /users/alice/tokens/a9+ \| status \| 500 \| 404$`, `^POST /users/alice/tokens \| status \| 500 \| 400$`}},
	{"numbers with underscores in a query", "taken", "400", "that is Python's own spelling",
		[]string{`^GET /users\?limit=1_0 \| status \| 200 \| 400$`}},
	{"POST /users with `usernames` a string, an object, or names that are no strings", "a user for each letter or key; 500", "400", "it is a mistake",
		[]string{`^POST /users \| status \| (201|500) \| 400$`}},
	{"POST /users with a name twice", "listed twice", "listed once", "one user is made",
		[]string{`^POST /users \|  \| \[.*"zoe".*"zoe".*\] \| \[`}},
	{"PATCH /users/U with `groups`, `roles`, or `auth_state` where none is kept", "500", "400", "it is a mistake",
		[]string{`^PATCH /users/bob \| status \| 500 \| 400$`}},
	{"an admin's token that was narrowed makes or changes an admin", "yes: the owner's flag alone is looked at", "403: the token's own scopes count", "a narrow token stays narrow",
		[]string{`^PATCH /users/bob \| status \| 200 \| 403$`, `^POST /users \| status \| 201 \| 403$`}},
	{"PATCH of a server with an unknown key, or a body that is no object", "500", "400", "it is a mistake",
		[]string{`^PATCH /users/alice/servers?(/lab)?( \[an unknown key\])? \| status \| 500 \| 400$`}},
	{"PATCH of a named server: Content-Type", "application/json; charset=UTF-8", "application/json", "as everywhere else",
		[]string{`^PATCH \S+ \| Content-Type \| application/json; charset=UTF-8 \| application/json$`}},
	{"DELETE /users/U of a user whose named servers run", "500", "stops them all first", "the user has to go",
		[]string{`^DELETE /users/zoe \| status \| 500 \| 204$`}},
	{"POST /users/U/tokens with `expires_in: true`, or a `note` that is no string", "a token", "400", "it is a mistake",
		[]string{`^POST /users/alice/tokens \| status \| 201 \| 400$`}},
	{"POST /groups with a string for a list, or names that are no strings", "a group for each letter; 500", "400", "it is a mistake",
		[]string{`^POST /groups(/\S+)? \| status \| (201|409|500) \| 400$`}},
	{"a group whose name has a slash", "made, and never found again by some proxies", "400", "a name is one segment of a path",
		[]string{`^POST /groups/a%2Fb \| status \| 201 \| 400$`}},
	{"POST /groups/G with `roles`", "taken, and no role given", "given by an admin; 403 for others, 400 for roles that do not exist", "it is what was asked for",
		[]string{`^POST /groups/teachers \| \.roles \|  \| robot$`, `^POST /groups/teachers \| status \| 201 \| 400$`}},
	{"a service that a role's list makes an admin", "`admin` is false", "`admin` is true", "the flag and the role are one fact",
		[]string{`^GET /services \| \.stage\.admin \| false \| true$`}},
}
