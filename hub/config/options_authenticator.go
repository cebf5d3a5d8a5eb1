package config

// Authenticator is [authenticator].
type Authenticator struct {
	Kind            string
	Service         string
	AllowAll        bool
	AllowedUsers    []string
	AllowedGroups   []string
	BlockedUsers    []string
	AdminUsers      []string
	AdminGroups     []string
	MinUID          int64 // 0: UID_MIN of /etc/login.defs
	UsernameMap     map[string]string
	UsernamePattern string // account.Names makes of it what it means

	GuestUsers   []string
	GuestGroups  []string
	GuestService string

	AuthRefreshAge     Duration // 0: never
	DeleteInvalidUsers bool

	EnableAuthState    bool
	AuthStateVariables []string
}

var authenticatorOptions = []row[Authenticator]{
	option("kind", text, "pam", func(a *Authenticator) *string { return &a.Kind },
		"How people prove who they are; \"pam\" is the system password and whatever else PAM asks.", oneOf("pam")).applies(AtRestart),
	option("service", text, "jupyterhub", func(a *Authenticator) *string { return &a.Service },
		"Name of the PAM service: the file in /etc/pam.d.", pamService),
	option("allow_all", boolean, false, func(a *Authenticator) *bool { return &a.AllowAll },
		"Let everyone log in who has an account here; system accounts and root never.").
		shipped(true, "JupyterHub's default, and ours without this line, is that nobody may log in.\n"+
			"On a machine where accounts mean nothing (every student of a university, say), set it to false\n"+
			"and name the groups in allowed_groups."),
	option("allowed_users", texts, nil, func(a *Authenticator) *[]string { return &a.AllowedUsers },
		"Accounts that may log in.", every(accountName)),
	option("allowed_groups", texts, nil, func(a *Authenticator) *[]string { return &a.AllowedGroups },
		"Groups of the system whose members may log in.", every(accountName)),
	option("blocked_users", texts, nil, func(a *Authenticator) *[]string { return &a.BlockedUsers },
		"Accounts that may not log in, whatever else is said.", every(accountName)),
	option("admin_users", texts, nil, func(a *Authenticator) *[]string { return &a.AdminUsers },
		"Accounts that administer the hub; this does not let them log in by itself.", every(accountName)),
	option("admin_groups", texts, nil, func(a *Authenticator) *[]string { return &a.AdminGroups },
		"Groups of the system whose members administer the hub.", every(accountName)).
		shipped([]any{"sudo"}, "Whoever may be root here may administer the hub. The group is called wheel on Fedora and Arch."),
	option("min_uid", count, 0, func(a *Authenticator) *int64 { return &a.MinUID },
		"Smallest uid that is a person's; 0 is UID_MIN of /etc/login.defs.", atLeast(0)),
	option("username_map", names, nil, func(a *Authenticator) *map[string]string { return &a.UsernameMap },
		"Names by which the hub knows accounts, by the account's own: { 'EXAMPLE\\asmith' = \"asmith\" }; all others go by their own.", oneToOne).
		note("People log in with the account's name, and servers run as the account. Everything else in these files, below [hub] and [spawner] " +
			"and in admin_users, speaks of the hub's names; allowed_users, blocked_users and groups of the system's. A name that is given away is " +
			"no other account's: an account asmith could not log in beside this one."),
	option("username_pattern", text, "", func(a *Authenticator) *string { return &a.UsernamePattern },
		"Regular expression that users' names match, from their beginning, as in '[a-z]+[0-9]*$'; empty is any name.", emptyOr(pattern)).
		note("It is about the hub's names, as username_map leaves them. Whose name does not match cannot log in, is not let in any more, gets " +
			"no server, and is not made over the API. The syntax is RE2's, which is Python's without looking ahead or back. As with JupyterHub " +
			"its end is open: write $ where a name has to end."),
	option("guest_users", texts, nil, func(a *Authenticator) *[]string { return &a.GuestUsers },
		"Who may log in without an account: names in lower case, in which one * stands for any letters, as in \"guest-*\".", every(guestPattern)).
		note("A name that is an account's is never a guest's, whatever is said here. Servers of guests run as with dynamic_users. Choose names " +
			"that no directory has: while it is away, its accounts look like names without one. blocked_users beats this."),
	option("guest_service", text, "jupyterhub-guests", func(a *Authenticator) *string { return &a.GuestService },
		"Name of the PAM service that guests prove themselves to: the file in /etc/pam.d, which is yours to write.", pamService).
		note("Its auth part asks; its account part says whether a guest may stay. See \"Guests\" in docs/configuration.md."),
	option("guest_groups", texts, nil, func(a *Authenticator) *[]string { return &a.GuestGroups },
		"Groups as whose members guests are treated below [spawner] and in allowed_groups of profiles; the first is the primary one.", every(accountName)),
	option("auth_refresh_age", span, seconds(60), func(a *Authenticator) *Duration { return &a.AuthRefreshAge },
		"How long it is remembered that an account may be used; then a request of its user has it looked at again; 0 is never.").
		note("One that is locked, has expired, is not admitted any more or is another person's loses sessions, tokens and servers; so does " +
			"one that is gone, when it is still missing after that time. Accounts are looked at before each start of a server in any case."),
	option("delete_invalid_users", boolean, false, func(a *Authenticator) *bool { return &a.DeleteInvalidUsers },
		"Also forget users whose accounts are gone: their groups, named servers and shares."),
	option("enable_auth_state", boolean, false, func(a *Authenticator) *bool { return &a.EnableAuthState },
		"Keep what the login hands over about a user (auth_state), sealed, until the next login.").
		note("It needs a key of 32 bytes, as `openssl rand -hex 32` prints: put it into /etc/jupyterhub/crypt-keys, for root alone, and install the " +
			"example crypt-keys.conf as a drop-in of jupyterhub.service; or, as with JupyterHub, set JUPYTERHUB_CRYPT_KEY, which every user of the " +
			"machine can read in the unit. With several, one a line or separated by semicolons, the first seals and all open; after a restart " +
			"the first has sealed everything. Only the scope admin:auth_state shows it."),
	option("auth_state_variables", texts, nil, func(a *Authenticator) *[]string { return &a.AuthStateVariables },
		"Variables of PAM's environment that are kept so, as KRB5CCNAME; none leaves the login program unless it is named here.", every(variableName)),
}
