package config

// refused answers for keys that people look for here and that have no meaning here, or stand in another place: what
// JupyterHub has and ours has not, and what belongs to systemd. A key with its table before it is about that table alone. Every
// option of JupyterHub is either a row of the options or stands here; a test holds both to the list of the real one.
var refused = map[string]string{
	"ip": proxySocket, "port": proxySocket, "bind_url": proxySocket, "listen": proxySocket, "address": proxySocket,
	"hub_ip": apiSocket, "hub_port": apiSocket, "hub_bind_url": apiSocket, "api_port": apiSocket,
	"hub_connect_ip":      "is hub_connect_url here, with scheme and port",
	"hub_connect_port":    "is hub_connect_url here, with scheme and address",
	"hub_socket_mode":     "belongs to a socket unit: systemctl edit jupyterhub-hub.socket",
	"hub_routespec":       "is no setting here: the proxy leads all of base_url to the hub; remove it",
	"ssl_key":             "is called tls_key here, in [proxy]",
	"ssl_cert":            "is called tls_certificate here, in [proxy]",
	"redirect_to":         "is called redirect_to_port here, in [proxy]",
	"letsencrypt_email":   "is called acme_email here, in [proxy]",
	"hub.trusted_proxies": "belongs in [proxy]; move it there, or write trusted_downstream_ips here",
	"confirm_no_ssl":      "is no setting here: insecure_http says whether passwords may cross a network in the clear; remove it",

	"proxy_class":            noChoice("jupyterhub-proxy is the proxy"),
	"spawner_class":          noChoice("every server is a systemd unit; another spawner is a program behind /run/jupyterhub/spawnd.sock"),
	"authenticator_class":    "is kind, in [authenticator]",
	"proxy_api_ip":           proxyAPI,
	"proxy_api_port":         proxyAPI,
	"proxy_auth_token":       proxyAPI,
	"proxy_cmd":              noChoice("systemd starts the proxy"),
	"proxy_check_interval":   noChoice("the hub is told when the proxy goes, and compares its routes then"),
	"check_running_interval": noChoice("the hub is told when the proxy goes, and compares its routes then"),
	"should_start":           noChoice("systemd starts the proxy"),
	"extra_routes":           "is no setting here: add the route to the proxy once, at its API; it keeps it, and the hub leaves it alone",
	"api_url":                proxyAPI,
	"auth_token":             proxyAPI,
	"proxy.command":          noChoice("systemd starts the proxy"),
	"command_umask":          noChoice("systemd makes the proxy's sockets"),
	"proxy.concurrency":      noChoice("the proxy takes routes as quickly as they come"),
	"forwarded_host_header":  noChoice("the proxy tells the hub the host, and takes away what browsers say of it"),
	"debug_proxy":            logLevel,
	"proxy.debug":            logLevel,

	"internal_ssl":                ourSockets,
	"internal_certs_location":     ourSockets,
	"recreate_internal_certs":     ourSockets,
	"external_ssl_authorities":    ourSockets,
	"trusted_alt_names":           ourSockets,
	"generate_certs":              ourSockets,
	"ssl_alt_names":               ourSockets,
	"ssl_alt_names_include_local": ourSockets,

	"cookie_secret":              ownSecrets,
	"cookie_secret_file":         ownSecrets,
	"service_tokens":             "is no setting here: the file holds no secrets; name a file in api_token_file of [[hub.services]]",
	"api_tokens":                 "is no setting here: the file holds no secrets; make a token with: jupyterhub token NAME",
	"api_token":                  "is no setting here: everybody may read this file; put the token into a file of its own and name it in api_token_file",
	"trust_user_provided_tokens": noChoice("only hashes of tokens are kept, and all of them are checked the same way"),
	"db_url":                     oneDatabase,
	"db_kwargs":                  oneDatabase,
	"debug_db":                   oneDatabase,
	"upgrade_db":                 "is no setting here: the hub brings its database to its own release at the start, after a copy; remove it",
	"reset_db":                   "is no setting here: stop the hub and remove /var/lib/jupyterhub/jupyterhub.db; remove it",

	"admin_access":                         "is no setting here: what an admin may enter is decided by scopes; give a role access:servers in load_roles",
	"allow_existing_invalid_named_servers": noChoice("names of servers were always checked here, so none is invalid"),
	"active_user_window":                   noChoice("metrics count users of the last day, week and month"),
	"last_activity_interval":               noChoice("the hub asks the proxy for activity every five minutes"),
	"service_check_interval":               noChoice("systemd knows which services run"),
	"cleanup_servers":                      noChoice("servers always outlive the hub"),
	"cleanup_proxy":                        noChoice("the proxy always outlives the hub"),
	"pid_file":                             noChoice("systemd knows its processes"),
	"log_level":                            logLevel,
	"extra_log_file":                       noChoice("everything is in the journal"),
	"extra_log_handlers":                   noChoice("everything is in the journal"),
	"data_files_path":                      noChoice("templates and pictures are part of the program"),
	"template_paths":                       noChoice("pages are part of the program; template_vars puts announcements on them, logo_file a picture"),
	"jinja_environment_options":            noChoice("pages are part of the program"),
	"extra_handlers":                       "is Python, which the hub does not run; a service of [[hub.services]] answers addresses of its own",
	"tornado_settings":                     "is headers, slow_spawn_timeout and slow_stop_timeout here, in [hub]; cookies are SameSite=Lax, and Secure with HTTPS",
	"user_redirect_hook":                   hook,
	"config_file":                          "is on the command line: --config DIR",
	"generate_config":                      "is no setting here: the shipped file shows every option with its default",
	"answer_yes":                           "is no setting here: nothing asks; remove it",

	"spawner.ip":                theirSockets,
	"spawner.port":              theirSockets,
	"spawner.hub_connect_url":   "belongs in [hub]; move it there",
	"apply_user_options":        "is no setting here: no answer of options_form sets an option of a server, neither by a table of names nor by Python; people choose from [[spawner.profile]]",
	"auth_state_hook":           hook,
	"post_stop_hook":            hook + ". A drop-in of jupyter-.service with ExecStopPost= runs a command after every server",
	"pre_spawn_hook":            hook + ". ExecStartPre in unit_extra_properties runs commands before a server, as its user; one in a drop-in of jupyter-.service runs as root, with + before it",
	"progress_ready_hook":       hook,
	"consecutive_failure_limit": noChoice("the hub does not end over servers that fail"),
	"debug":                     "is args here: args = [\"--debug\"]",
	"env_keep":                  noChoice("servers begin with an empty environment; write what they need into environment"),
	"group_overrides":           "is [spawner.group.NAME] here",
	"hub.services.timeout":      noChoice("the hub waits for no service, and is ready without them; the proxy answers 503 until one is there"),
	"oauth_roles":               "is oauth_client_allowed_scopes here, with scopes in place of roles",
	"poll_interval":             noChoice("systemd tells when a server ends"),
	"poll_jitter":               noChoice("systemd tells when a server ends"),
	"interrupt_timeout":         stopTime,
	"term_timeout":              stopTime,
	"kill_timeout":              stopTime,
	"popen_kwargs":              noChoice("systemd starts servers; unit_extra_properties takes its settings"),
	"shell_cmd":                 noChoice("servers are started without a shell"),

	"allow_existing_users":           noChoice("root's rules admit accounts, and the hub cannot widen them; name accounts or groups"),
	"any_allow_config":               noChoice("without a rule nobody is admitted, and jupyterhub check-config says so"),
	"auth_refresh_strict":            noChoice("accounts are looked at without asking anybody"),
	"refresh_pre_spawn":              noChoice("the account is looked at before every start"),
	"refresh_pre_stop":               noChoice("anybody who may stop a server may always stop it"),
	"manage_groups":                  noChoice("groups of the system decide who is admitted and with which limits; the hub's own are made by load_groups and the API"),
	"otp_prompt":                     noChoice("PAM asks for codes itself, in its own words"),
	"request_otp":                    noChoice("PAM asks for codes itself, on a page of their own"),
	"auto_login":                     noChoice("PAM logs nobody in who does not answer it"),
	"auto_login_oauth2_authorize":    noChoice("PAM logs nobody in who does not answer it"),
	"manage_roles":                   noChoice("PAM tells of no roles; load_roles gives them"),
	"reset_managed_roles_on_startup": noChoice("PAM tells of no roles; load_roles gives them"),
	"post_auth_hook":                 hook + ". A module of PAM's own can do the same, in /etc/pam.d/jupyterhub",
	"reconcile_auth_state_hook":      hook,
	"whitelist":                      "is called allowed_users",
	"group_whitelist":                "is called allowed_groups",
	"add_user_cmd":                   ownAccounts,
	"create_system_users":            ownAccounts,
	"uids":                           ownAccounts,
	"check_account":                  noChoice("PAM is always asked whether an account may be used"),
	"encoding":                       noChoice("PAM is spoken to in UTF-8"),
	"executor_threads":               noChoice("every login is a process of its own"),
	"pam_normalize_username":         noChoice("a name is always what PAM and the name service make of it"),
	"open_sessions":                  noChoice("a PAM session would move servers out of their limits"),

	"cull_every": cullTimer, "every": cullTimer, "interval": cullTimer,
}

const (
	proxySocket = "belongs to a socket unit: systemctl edit jupyterhub-proxy.socket, " +
		"and write [Socket], an empty ListenStream=, and ListenStream=0.0.0.0:443"
	apiSocket = "belongs to a socket unit: systemctl edit jupyterhub-api.socket, " +
		"and write [Socket], an empty ListenStream=, and ListenStream=127.0.0.1:8081; then set hub_connect_url"
	cullTimer = "belongs to a timer unit: systemctl edit jupyterhub-idle-culler.timer, " +
		"and write [Timer], an empty OnUnitInactiveSec=, OnActiveSec=10min and OnUnitInactiveSec=10min"
	proxyAPI     = "is no setting here: hub and proxy speak over /run/jupyterhub-proxy/api.sock, and the kernel says who is there; remove it"
	ourSockets   = "is no setting here: the daemons speak over Unix sockets, and the kernel says who is at the other end; remove it"
	theirSockets = "is no setting here: servers listen at Unix sockets of their own; remove it"
	ownSecrets   = "is no setting here: the hub makes its secrets and keeps them in its database; remove it"
	oneDatabase  = "is no setting here: the state is /var/lib/jupyterhub/jupyterhub.db; remove it"
	logLevel     = "belongs to the service: systemctl edit jupyterhub.service, with LogLevelMax= in [Service]"
	hook         = "is Python, which the hub does not run"
	stopTime     = "is TimeoutStopSec= in a drop-in of jupyter-.service"
	ownAccounts  = "is no setting here: accounts are the system's; make them with useradd"
)

// noChoice says why there is nothing to set.
func noChoice(why string) string { return "is no setting here: " + why + "; remove it" }
