package compat

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

// allowedAtHosts are the differences that conversations show where users and services have hosts of their own, beside all others.
var allowedAtHosts = []allowance{
	{"pages of the hub, asked for at a user's host", "shown there, for whoever is logged in there", "led to the hub's host", "whose cookies and scripts come first at that host is its user's affair",
		[]string{`^GET \.//alice\.hub\.test/hub/login\S* \| status \| 200 \| 302$`, `^GET \.//alice\.hub\.test/hub/home \| Location \| /hub/login\?next=%2Fhub%2Fhome \| /hub/home$`}},
	{"what changes something, when the browser says that a page of another host asks", "done, with the token against forgery, or by GET", "403, but for links that the whole window follows", "users' hosts are of the hub's site, and SameSite keeps nothing back",
		[]string{`^DELETE \./hub/api/users/alice/server\?_xsrf=\$xsrf \| status \| 204 \| 403$`, `^GET \./hub/logout \| status \| 302 \| 403$`}},
	{"`next` with a host before which a backslash stands", "taken for one of ours, by its end", "refused", "browsers take the backslash for a slash",
		[]string{`^GET \./hub/login\?next=http%3A%2F%2Fevil\.test%5C\.hub\.test%2Fx \| Location \| /x \| `}},
}

// The names of hosts that ours are compared with are those that the real one gives.
func TestHostsThatJupyterHubGives(t *testing.T) {
	python := filepath.Join(filepath.Dir(needs(t, "singleuser-6.1.1", "jupyterhub")), "python")
	const list = "../../hub/hosts/testdata/jupyterhub-6.1.1.json"
	said, err := exec.CommandContext(t.Context(), python, "testdata/hosts.py", list).Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(list)
	var got, want map[string][3]string
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err == nil {
		err = json.Unmarshal(said, &got)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is not what testdata/hosts.py says: %v\n%s", list, err, said)
	}
}
