package config

import (
	"fmt"
	"strings"
)

// sections is every table of the file that has a fixed name, with its options, in the order of the manual.
func sections() []Section {
	return []Section{
		{"hub", "The hub: who stays logged in for how long, how many servers, which pages.", documented(hubOptions)},
		{"authenticator", "Who may log in, and who administers. Both root helpers enforce this themselves.", documented(authenticatorOptions)},
		{"spawner", "How users' servers run. What stands here holds for everyone.",
			append(documented(spawnerOptions), documented(policyOptions)...)},
		{"spawner.profile", "Ways to start a server that users may choose, each begun by [[spawner.profile]]. " +
			"Besides these keys a profile has those of [spawner] that also a group can have.", documented(profileOptions)},
		{"proxy", "The proxy in front of everything.", documented(proxyOptions)},
		{"culler", "What jupyterhub-idle-culler does at each pass.", documented(cullerOptions)},
	}
}

// elsewhere answers for keys that people look for here and that stand in another place: JupyterHub's that are gone or
// renamed, and what belongs to systemd.
var elsewhere = map[string]string{
	"ip": proxySocket, "port": proxySocket, "bind_url": proxySocket, "listen": proxySocket, "address": proxySocket,
	"hub_ip": apiSocket, "hub_port": apiSocket, "hub_bind_url": apiSocket, "api_port": apiSocket, "hub_connect_ip": apiSocket,
	"hub_socket_mode": "belongs to a socket unit: systemctl edit jupyterhub-hub.socket",
	"cull_every":      cullTimer, "every": cullTimer, "interval": cullTimer,
	"ssl_key":                "is called tls_key here, in [proxy]",
	"ssl_cert":               "is called tls_certificate here, in [proxy]",
	"trusted_downstream_ips": "is called trusted_proxies here, in [proxy]",
	"authenticator_class":    "is kind, in [authenticator]",
	"spawner_class":          "is no choice here: every server is a systemd unit; remove it",
	"proxy_class":            "is no choice here: jupyterhub-proxy is the proxy; remove it",
	"cookie_secret":          "is no setting here: the hub makes its secrets and keeps them in its database; remove it",
	"cookie_secret_file":     "is no setting here: the hub makes its secrets and keeps them in its database; remove it",
	"db_url":                 "is no setting here: the state is /var/lib/jupyterhub/jupyterhub.db; remove it",
	"admin_access":           "is no setting here: what an admin may enter is decided by scopes; remove it",
	"cleanup_servers":        "is no setting here: servers always outlive the hub; remove it",
	"cleanup_proxy":          "is no setting here: the proxy always outlives the hub; remove it",
	"pid_file":               "is no setting here: systemd knows its processes; remove it",
	"log_level":              "belongs to the service: systemctl edit jupyterhub.service, with LogLevelMax= in [Service]",
	"extra_log_file":         "is no setting here: everything is in the journal; remove it",
	"open_sessions":          "is no setting here: a PAM session would move servers out of their limits; remove it",
	"username_template":      "is no setting here: servers run as the account that logged in; remove it",
	"unit_name_template":     "is no setting here: units are called jupyter-NAME.service; remove it",
	"isolate_tmp":            "is PrivateTmp in [spawner.sandbox]",
	"isolate_devices":        "is PrivateDevices in [spawner.sandbox]",
	"disable_user_sudo":      "is NoNewPrivileges in [spawner.sandbox]",
	"readonly_paths":         "is ReadOnlyPaths in [spawner.sandbox]",
	"readwrite_paths":        "is ReadWritePaths in [spawner.sandbox]",
	"extra_paths":            "is called search_path here",
}

const (
	proxySocket = "belongs to a socket unit: systemctl edit jupyterhub-proxy.socket, " +
		"and write [Socket], an empty ListenStream=, and ListenStream=0.0.0.0:443"
	apiSocket = "belongs to a socket unit: systemctl edit jupyterhub-api.socket, " +
		"and write [Socket], an empty ListenStream=, and ListenStream=127.0.0.1:8081; then set hub_connect_url"
	cullTimer = "belongs to a timer unit: systemctl edit jupyterhub-idle-culler.timer, " +
		"and write [Timer], an empty OnUnitInactiveSec=, OnActiveSec=10min and OnUnitInactiveSec=10min"
)

// unknownKey says what would be right instead of a key that the table at path does not have.
func unknownKey(path, key string) error {
	here, there := []string{}, map[string]string{}
	for _, s := range sections() {
		for _, o := range s.Options {
			if s.Name == path || s.Name == "spawner" && strings.HasPrefix(path, "spawner.") {
				here = append(here, o.Key)
			}
			if there[o.Key] == "" {
				there[o.Key] = s.Name
			}
		}
	}
	if path == "spawner" {
		here = append(here, "group", "user", "profile")
	}
	switch {
	case there[key] != "" && there[key] == strings.SplitN(path, ".", 2)[0]:
		return fmt.Errorf("cannot be set for a group, a user or a profile; it belongs in [%s]", there[key])
	case there[key] != "":
		return fmt.Errorf("belongs in [%s]; move it there", there[key])
	case elsewhere[key] != "":
		return fmt.Errorf("%s", elsewhere[key])
	case nearest(key, here) != "":
		return fmt.Errorf("is no key of [%s]; did you mean %s?", path, nearest(key, here))
	}
	return fmt.Errorf("is no key of [%s]; jupyterhub.toml(5) lists them", path)
}

func unknownSection(name string) error {
	var known []string
	for _, s := range sections() {
		if !strings.Contains(s.Name, ".") {
			known = append(known, s.Name)
		}
		for _, o := range s.Options {
			if o.Key == name {
				return fmt.Errorf("stands outside every table; it belongs in [%s]", s.Name)
			}
		}
	}
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("is no table of this file; did you mean [%s]?", near)
	}
	return fmt.Errorf("is no table of this file; it has [%s]", strings.Join(known, "], ["))
}

// nearest returns the word that takes the fewest edits to reach, if few enough, or "".
func nearest(word string, words []string) string {
	best, least := "", len(word)/3+2
	for _, w := range words {
		if d := distance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
