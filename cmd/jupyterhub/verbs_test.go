package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"jupyterhubd/hub/client"
)

// onePage is an answer in pages, with one on it.
func onePage(items string) string {
	return `{"items":[` + items + `],"_pagination":{"offset":0,"limit":50,"total":1,"next":null}}`
}

const (
	aliceModel = `{"kind":"user","name":"alice","admin":true,"groups":["class","staff"],"last_activity":"2026-11-24T12:00:00Z","created":null,
"servers":{"":{"name":"","full_name":"alice/","ready":true,"stopped":false,"started":"2026-11-24T11:00:00Z","state":{"unit":"jupyter-alice.service","state":"ready","uid":1000}},
"gpu":{"name":"gpu","full_name":"alice/gpu","ready":false,"stopped":true}}}`
	evilGroup = `{"kind":"group","name":"\u001b[2Jevil","users":["mallory"],"roles":[],"properties":{"quota":3}}`
)

func TestUsersInATable(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users?sort=name&state=active": onePage(aliceModel),
		"GET /hub/api/users/alice":                  aliceModel,
		"POST /hub/api/users":                       `[]`,
		"DELETE /hub/api/users/alice":               ``,
		"DELETE /hub/api/users/nobody":              `{"status":404,"message":"No such user: nobody"}`,
		"PATCH /hub/api/users/alice":                aliceModel,
	})
	compare(t, m.run("users", "list", "--state", "active"), `
USER   ADMIN  GROUPS       RUNNING  ACTIVE
alice  yes    class staff  1        2026-11-24 12:00
[0]
`)
	compare(t, m.run("users", "show", "alice"), `
USER   ADMIN  GROUPS       RUNNING  ACTIVE
alice  yes    class staff  1        2026-11-24 12:00
[0]
`)
	compare(t, m.run("users", "add", "alice", "bob", "--admin"), "\n[0]\n")
	compare(t, m.run("users", "change", "alice", "--admin=false"), "\n[0]\n")
	compare(t, m.run("users", "remove", "alice", "nobody"), `
jupyterhub: error: No such user: nobody
jupyterhub: hint: jupyterhub users list shows what there is
[1]
`)
	var u client.User
	out := strings.TrimSuffix(m.run("users", "show", "alice", "--json"), "[0]\n")
	if err := json.Unmarshal([]byte(out), &u); err != nil || u.Name != "alice" || !u.Servers.Value[""].Ready {
		t.Errorf("%v: %s", err, out)
	}
}

// A group's name is whatever whoever may make groups chose: it must not move an admin's cursor.
func TestNamesAreTamedInTables(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/groups?offset=0":         onePage(evilGroup),
		"POST /hub/api/groups/class":           evilGroup,
		"POST /hub/api/groups/class/users":     evilGroup,
		"DELETE /hub/api/groups/class/users":   evilGroup,
		"PUT /hub/api/groups/class/properties": evilGroup,
		"DELETE /hub/api/groups/class":         ``,
	})
	compare(t, m.run("groups", "list"), `
GROUP          USERS    ROLES  PROPERTIES
"\x1b[2Jevil"  mallory  -      {"quota":3}
[0]
`)
	for _, line := range []string{"add class alice --role teacher", "join class bob", "leave class bob", `properties class {"quota":3}`, "remove class"} {
		compare(t, m.run(append([]string{"groups"}, strings.Fields(line)...)...), "\n[0]\n")
	}
	compare(t, m.run("groups", "properties", "class", "[]"), `
jupyterhub: error: "[]" is no JSON object
[1]
`)
}

func TestServersStartAndStop(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users?sort=name&state=active":              onePage(aliceModel),
		"GET /hub/api/users?include_stopped_servers=1&sort=name": onePage(aliceModel),
		"POST /hub/api/users/alice/servers/gpu":                  ``,
		"GET /hub/api/users/alice/servers/gpu/progress":          "data: {\"progress\":50,\"message\":\"Half\"}\n\ndata: {\"progress\":100,\"ready\":true,\"message\":\"Ready\"}\n\n",
		"GET /hub/api/users/alice/servers/gpu":                   `{"name":"gpu","full_name":"alice/gpu","stopped":true,"failure":{"kind":"exited","message":"It ended"}}`,
		"DELETE /hub/api/users/alice/servers/gpu":                ``,
		"PUT /hub/api/users/alice/servers/gpu":                   `{"name":"gpu"}`,
		"POST /hub/api/users/bob/server":                         `{"status":404,"message":"No such user: bob"}`,
	})
	compare(t, m.run("servers", "list"), `
SERVER     STATE    SINCE             ACTIVE  UNIT
alice/     ready    2026-11-24 11:00  -       jupyter-alice.service
alice/gpu  stopped  -                 -       -
[0]
`)
	compare(t, m.run("servers", "start", "alice/gpu", "--options", `{"profile":"gpu"}`), `
 50 % Half
100 % Ready
[0]
`)
	compare(t, m.run("servers", "show", "alice/gpu"), `
It ended
SERVER     STATE    SINCE  ACTIVE  UNIT
alice/gpu  stopped  -      -       -
[0]
`)
	compare(t, m.run("servers", "stop", "alice/gpu"), "\n[0]\n")
	compare(t, m.run("servers", "add", "alice/gpu"), "\n[0]\n")
	compare(t, m.run("servers", "remove", "alice/gpu"), "\n[0]\n")
	compare(t, m.run("servers", "start", "bob"), `
jupyterhub: error: No such user: bob
jupyterhub: hint: jupyterhub servers list [USER] shows what there is
[1]
`)
}

func TestTokensRolesAndServices(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users/alice/tokens":       `{"api_tokens":[{"id":"a1","note":"laptop","created":"2026-11-24T12:00:00Z","oauth_client":"JupyterHub","scopes":["read:users"]}]}`,
		"DELETE /hub/api/users/alice/tokens/a1": ``,
		"GET /hub/api/roles":                    `[{"name":"teacher","description":"Teach","scopes":["list:users!group=class"],"users":["bob"],"services":[],"groups":[]}]`,
		"GET /hub/api/services":                 `{"wiki":{"kind":"service","name":"wiki","admin":false,"url":"http://127.0.0.1:9000","roles":[]}}`,
		"POST /hub/api/services/wiki":           `{"kind":"service","name":"wiki"}`,
		"DELETE /hub/api/services/wiki":         `{"status":405,"message":"Service wiki is not modifiable at runtime"}`,
	})
	compare(t, m.run("tokens", "list", "alice"), `
ID  NOTE    CREATED           ACTIVE  EXPIRES  FOR         SCOPES
a1  laptop  2026-11-24 12:00  -       -        JupyterHub  read:users
[0]
`)
	compare(t, m.run("tokens", "remove", "alice", "a1"), "\n[0]\n")
	compare(t, m.run("roles", "show", "king"), `
jupyterhub: error: No such role: king
jupyterhub: hint: roles are made in jupyterhub.toml, [[hub.load_roles]]; jupyterhub roles list shows those that there are
[1]
`)
	compare(t, m.run("roles", "list"), `
ROLE     SCOPES                  USERS  GROUPS  SERVICES  DESCRIPTION
teacher  list:users!group=class  bob    -       -         Teach
[0]
`)
	compare(t, m.run("services", "list"), `
SERVICE  ADMIN  ROLES  URL                    COMMAND
wiki     -      -      http://127.0.0.1:9000  -
[0]
`)
	m.app.in = strings.NewReader("the-wikis-token\n")
	compare(t, m.run("services", "add", "wiki", "--url", "http://127.0.0.1:9000", "--token-file", "-"), "\n[0]\n")
	m.write("two.token", "one\ntwo\n")
	compare(t, m.run("services", "add", "wiki", "--token-file", m.at("two.token")), `
jupyterhub: error: DIR/two.token must hold one line, the token
[1]
`)
	compare(t, m.run("services", "remove", "wiki"), `
jupyterhub: error: Service wiki is not modifiable at runtime
jupyterhub: hint: jupyterhub services list shows what there is
[1]
`)
}

// Every verb can be understood by programs, and every noun says what to do with it.
func TestEveryVerbSpeaksJSON(t *testing.T) {
	m := newMachine(t, "")
	for _, noun := range m.app.root().Commands() {
		if !noun.HasSubCommands() {
			continue
		}
		compare(t, m.run(noun.Name()), "\njupyterhub: error: jupyterhub "+noun.Name()+" needs a verb\njupyterhub: hint: jupyterhub "+noun.Name()+" --help shows how it is used\n[2]\n")
		for _, v := range noun.Commands() {
			if v.Flags().Lookup("json") == nil && v.CommandPath() != "jupyterhub tokens add" {
				t.Errorf("%s has no --json", v.CommandPath())
			}
		}
	}
}

// The shell completes names that the hub knows, and nothing when it is away.
func TestNamesAreCompleted(t *testing.T) {
	m := newMachine(t, "")
	compare(t, m.run(cobra.ShellCompNoDescRequestCmd, "users", "show", ""), "\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n")
	m.http("admin.sock", map[string]string{"GET /hub/api/users?sort=name": onePage(aliceModel), "GET /hub/api/groups?offset=0": onePage(`{"name":"class"}`)})
	compare(t, m.run(cobra.ShellCompNoDescRequestCmd, "users", "show", ""), "\nalice\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n")
	compare(t, m.run(cobra.ShellCompNoDescRequestCmd, "groups", "remove", ""), "\nclass\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n")
}

// What stands behind the first argument is completed too: others of its kind but those that are typed, members of the group, tokens of the
// user with their notes, in which nothing moves the cursor; and limits, behind which a value is typed.
func TestFurtherArgumentsAreCompleted(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users?sort=name":     onePage(aliceModel),
		"GET /hub/api/groups?offset=0":     onePage(`{"name":"class"},{"name":"staff"}`),
		"GET /hub/api/groups/class":        `{"name":"class","users":["alice","bob"]}`,
		"GET /hub/api/users/alice/tokens":  `{"api_tokens":[{"id":"a5","note":"for\u001b[2J nbgrader"},{"id":"a6","note":"script"}]}`,
		"GET /hub/api/users/nobody/tokens": `{"status":404,"message":"Not Found"}`,
	})
	const end, endNoSpace = ":4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n", ":6\nCompletion ended with directive: ShellCompDirectiveNoSpace, ShellCompDirectiveNoFileComp\n[0]\n"
	for line, want := range map[string]string{
		"groups remove class ":       "staff\n" + end,
		"groups join class ":         "alice\n" + end,
		"groups join class alice ":   end,
		"groups leave class alice ":  "bob\n" + end,
		"groups properties class ":   end,
		"groups add new ":            "alice\n" + end,
		"users remove alice ":        end,
		"users show alice ":          end,
		"tokens show alice ":         "a5\t\"for\\x1b[2J nbgrader\"\na6\tscript\n" + end,
		"tokens show alice a5 ":      end,
		"tokens remove nobody ":      end,
		"usage ":                     "alice\n" + end,
		"token ":                     "alice\n" + end,
		"edit ":                      "alice\n" + end,
		"check-login ":               "alice\n" + end,
		"limit alice cpu=2 tasks=1 ": "cpu=\ncpu_weight=\nio_weight=\nmemory=\nmemory_high=\ntasks=\n" + endNoSpace,
	} {
		args := strings.Split(line, " ")
		if got := m.run(append([]string{cobra.ShellCompRequestCmd}, args...)...); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", line, got, want)
		}
	}
}
