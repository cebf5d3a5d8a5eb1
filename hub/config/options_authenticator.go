package config

// Authenticator is [authenticator].
type Authenticator struct {
	Kind          string
	Service       string
	AllowAll      bool
	AllowedUsers  []string
	AllowedGroups []string
	BlockedUsers  []string
	AdminUsers    []string
	AdminGroups   []string
	MinUID        int64 // 0: UID_MIN of /etc/login.defs
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
}
