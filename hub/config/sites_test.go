package config

import (
	"strings"
	"testing"
)

// Hosts of their own for users want an address below which there can be names, the same one everywhere.
func TestWhatDoesNotGoWithSubdomains(t *testing.T) {
	for text, want := range map[string]string{
		"subdomain_host='https://hub.example.org'":                                                            "",
		"subdomain_host='http://hub.example.org:8000/'\nsubdomain_hook='legacy'":                              "",
		"subdomain_host='https://hub.example.org'\nbase_url='/jh/'\npublic_url='https://HUB.example.org/jh/'": "",
		"subdomain_host='hub.example.org'":                                                                    "hub.subdomain_host: is \"hub.example.org\"; it wants the hub's own address",
		"subdomain_host='https://hub.example.org/jh/'":                                                        "without a path",
		"subdomain_host='https://localhost'":                                                                  "a name with a dot",
		"subdomain_host='https://10.0.0.1'":                                                                   "below a number there are no names",
		"subdomain_hook='mine'":                                                                               "hub.subdomain_hook: is \"mine\"; it wants \"idna\" or \"legacy\"",
		"subdomain_host='https://hub.example.org'\npublic_url='https://other.example.org/'":                   "hub.public_url: is \"https://other.example.org/\", which is at another host than subdomain_host",
		"subdomain_host='http://hub.example.org'\ncookie_host_prefix_enabled=true":                            "hub.cookie_host_prefix_enabled: is true, and the hub is at \"http://hub.example.org\"",
		"public_url='http://hub.example.org/'\ncookie_host_prefix_enabled=true":                               "browsers take cookies with __Host- over https alone",
	} {
		_, err := Load(etc(t, map[string]string{MainFile: "[hub]\n" + text + "\n"}))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
