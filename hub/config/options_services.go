package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Service is one [[hub.services]]: a program that speaks to the hub in its own name. With a command systemd runs it.
type Service struct {
	Name               string
	URL                string
	APITokenFile       string
	Admin              bool
	Display            bool
	Info               map[string]any
	OAuthClientID      string
	OAuthRedirectURI   string
	OAuthAllowedScopes []string
	OAuthNoConfirm     bool
	Command            []string
	User               string
	Cwd                string
	Environment        map[string]string
	MemLimit           Bytes
	CPULimit           float64
	TasksMax           int64
}

var serviceOptions = []row[Service]{
	option("name", text, "", func(s *Service) *string { return &s.Name },
		"What the service is called in addresses, roles and the API; must be there.", serviceName),
	option("url", text, "", func(s *Service) *string { return &s.URL },
		"Where the service listens; the proxy leads base_url + services/NAME/ there. Empty: nowhere.", emptyOr(serviceURL)).
		note("Such as \"http://127.0.0.1:9000\"; a path is not taken away, the service sees all of it."),
	option("api_token_file", text, "", func(s *Service) *string { return &s.APITokenFile },
		"File that holds the service's API token; a name without a slash is a credential of jupyterhub.service.", emptyOr(secretFile)),
	option("admin", boolean, false, func(s *Service) *bool { return &s.Admin },
		"Give the service the role admin; load_roles gives less."),
	option("display", boolean, true, func(s *Service) *bool { return &s.Display },
		"Show a service that has a url in the menu of the pages."),
	option("info", anything, nil, func(s *Service) *map[string]any { return &s.Info },
		"What the API tells of the service besides, for whoever reads it."),
	option("oauth_client_id", text, "", func(s *Service) *string { return &s.OAuthClientID },
		"Id of the service's OAuth client, which begins with \"service-\"; empty is service-NAME.", emptyOr(clientID)),
	option("oauth_redirect_uri", text, "", func(s *Service) *string { return &s.OAuthRedirectURI },
		"Where people come back to from the hub; empty is base_url + services/NAME/oauth_callback.", emptyOr(redirectURI)),
	option("oauth_client_allowed_scopes", texts, nil, func(s *Service) *[]string { return &s.OAuthAllowedScopes },
		"Scopes that the service may ask people for, besides who they are and that they may use it."),
	option("oauth_no_confirm", boolean, false, func(s *Service) *bool { return &s.OAuthNoConfirm },
		"Do not ask people whether the service may have what it asks for."),
	option("command", texts, nil, func(s *Service) *[]string { return &s.Command },
		"Command that systemd runs as this service, from search_path of [spawner]; empty: it is run by somebody else."),
	option("user", text, "", func(s *Service) *string { return &s.User },
		"Account that the command runs as, never root; empty is one that exists while it runs.", emptyOr(accountName)),
	option("cwd", text, "", func(s *Service) *string { return &s.Cwd },
		"Directory that the command runs in; empty is /.", emptyOr(absolute)),
	option("environment", names, nil, func(s *Service) *map[string]string { return &s.Environment },
		"Variables of the command besides JUPYTERHUB_*; everybody on the machine may see them.", variables),
	option("mem_limit", size, 1<<30, func(s *Service) *Bytes { return &s.MemLimit },
		"Memory that the command may use; 0 is no limit.", zeroOr(64<<20, Bytes.String)),
	option("cpu_limit", real, 1, func(s *Service) *float64 { return &s.CPULimit },
		"CPUs that the command may use; 0 is no limit.", cpus),
	option("tasks_max", count, 256, func(s *Service) *int64 { return &s.TasksMax },
		"Processes and threads of the command; 0 is systemd's default.", zeroOr(8, func(n int64) string { return fmt.Sprint(n) })),
}

// Managed reports whether systemd runs the service for us.
func (s Service) Managed() bool { return len(s.Command) > 0 }

// OAuth reports whether people log in to the service by way of the hub.
func (s Service) OAuth() bool {
	return s.URL != "" || s.OAuthClientID != "" || s.OAuthRedirectURI != "" || len(s.OAuthAllowedScopes) > 0 || s.OAuthNoConfirm
}

// reserved are the names of services that are the hub's own.
var reserved = map[string]bool{"idle-culler": true, "local-admin": true}

var servicePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$`)

func serviceName(s string) error {
	switch {
	case len(s) > 64 || !servicePattern.MatchString(s):
		return fmt.Errorf(`is %q; it wants lower-case letters, digits, -, _ and ., at most 64, such as "grader"`, s)
	case reserved[s]:
		return fmt.Errorf("is %q, which is a service of the hub's own; choose another name", s)
	}
	return nil
}

// serviceURL is where a proxy can go: http, https or a Unix socket, and no path, which would be lost.
func serviceURL(s string) error {
	u, err := url.Parse(s)
	known := err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "http+unix")
	if !known || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf(`is %q; it wants scheme, host and port without a path, such as "http://127.0.0.1:9000"`, s)
	}
	return nil
}

func secretFile(s string) error {
	if !strings.Contains(s, "/") {
		return nil
	}
	return absolute(s)
}

func clientID(s string) error {
	if !strings.HasPrefix(s, "service-") || strings.ContainsAny(s, " ;,/\"\\\t\n") || len(s) > 128 {
		return fmt.Errorf(`is %q; it wants "service-" and a name, such as "service-grader"`, s)
	}
	return nil
}

func redirectURI(s string) error {
	if strings.HasPrefix(s, "/") {
		return urlPath(s)
	}
	if err := webURL(s); err != nil || strings.Contains(s, "#") {
		return fmt.Errorf(`is %q; it wants an address without a fragment, such as "https://wiki.example.org/callback"`, s)
	}
	return nil
}
