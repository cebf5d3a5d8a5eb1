package config

// personOptions say as whom servers run. They stand in [spawner] and in [spawner.user.NAME] alone: what a group or a profile
// says is known only when the account is.
func personOptions() []row[Policy] {
	return []row[Policy]{
		option("username_template", text, "", func(p *Policy) *string { return &p.UsernameTemplate },
			"Account that servers run as, such as \"jupyter-{USERNAME}\", {USERNAME} being the hub's name; empty is the account that logs in.",
			emptyOr(accountTemplate)).
			note("In [spawner] and [spawner.user.NAME] alone. Whom the rules of [authenticator] do not admit gets no server by it either."),
		option("dynamic_users", boolean, false, func(p *Policy) *bool { return &p.DynamicUsers },
			"Run servers as guests: a user that systemd makes up for the time (DynamicUser=), with a home that is kept, below /var/lib/jupyter-guests.").
			note("In [spawner] and [spawner.user.NAME] alone. A guest needs no account: allow_all, allowed_users or guest_users admits " +
				"the hub's name. Servers of guest_users run so in any case."),
	}
}

// personal are the keys of personOptions.
var personal = []string{"username_template", "dynamic_users"}
