package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"jupyterhubd/hub/client"
)

const (
	gpuShare = `{"server":{"user":{"name":"alice"},"name":"gpu","url":"/user/alice/gpu/","full_url":null,"ready":true},"scopes":["access:servers!server=alice/gpu","start:servers!server=alice/gpu"],
"user":{"name":"bob"},"group":null,"kind":"user","created_at":"2026-11-24T12:00:00Z"}`
	classShare = `{"server":{"user":{"name":"alice"},"name":"","url":"/user/alice/","full_url":null,"ready":false},"scopes":["access:servers!server=alice/"],
"user":null,"group":{"name":"class"},"kind":"group","created_at":"2026-11-24T12:00:00Z"}`
	gpuCode = `{"server":{"user":{"name":"alice"},"name":"gpu"},"scopes":["access:servers!server=alice/gpu"],"id":"sc_3","created_at":"2026-11-24T12:00:00Z",
"expires_at":"2026-11-25T12:00:00Z","exchange_count":2,"code":"secret","accept_url":"/hub/accept-share?code=secret"}`
)

func TestShares(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/shares/alice?offset=0":            onePage(gpuShare + "," + classShare),
		"GET /hub/api/shares/alice/?offset=0":           onePage(classShare),
		"GET /hub/api/users/bob/shared?offset=0":        onePage(gpuShare),
		"GET /hub/api/groups/class/shared?offset=0":     onePage(classShare),
		"POST /hub/api/shares/alice/gpu":                gpuShare,
		"PATCH /hub/api/shares/alice/gpu":               `{}`,
		"DELETE /hub/api/shares/alice/":                 ``,
		"DELETE /hub/api/users/bob/shared/alice/gpu":    ``,
		"DELETE /hub/api/groups/class/shared/alice/":    ``,
		"POST /hub/api/shares/alice/":                   `{"status":403,"message":"Do not have permission to grant share with scope access:servers!server=alice/"}`,
		"GET /hub/api/share-codes/alice?offset=0":       onePage(gpuCode),
		"POST /hub/api/share-codes/alice/gpu":           gpuCode,
		"DELETE /hub/api/share-codes/alice/gpu?id=sc_3": ``,
		"DELETE /hub/api/share-codes/alice/gpu":         ``,
	})
	compare(t, m.run("shares", "list", "alice"), `
SERVER     WITH         SCOPES                        SINCE
alice/gpu  user bob     access:servers start:servers  2026-11-24 12:00
alice/     group class  access:servers                2026-11-24 12:00
[0]
`)
	compare(t, m.run("shares", "list", "alice/"), `
SERVER  WITH         SCOPES          SINCE
alice/  group class  access:servers  2026-11-24 12:00
[0]
`)
	compare(t, m.run("share", "codes", "alice"), `
ID    SERVER     SCOPES          CREATED           EXPIRES           USED
sc_3  alice/gpu  access:servers  2026-11-24 12:00  2026-11-25 12:00  2
[0]
`)
	compare(t, m.run("shares", "code", "alice/gpu", "--expires-in", "1d"), "\n/hub/accept-share?code=secret\n[0]\n")
	for _, line := range []string{"with bob", "with class --group"} {
		if out := m.run(append([]string{"shares"}, strings.Fields(line)...)...); !strings.HasSuffix(out, "[0]\n") {
			t.Errorf("%s: %s", line, out)
		}
	}
	for _, line := range []string{"add alice/gpu --user bob --scope start:servers", "remove alice/gpu --user bob", "remove alice --all", "leave bob alice/gpu", "leave class alice --group",
		"revoke alice/gpu sc_3", "revoke alice/gpu --all"} {
		compare(t, m.run(append([]string{"shares"}, strings.Fields(line)...)...), "\n[0]\n")
	}
	compare(t, m.run("shares", "add", "alice", "--group", "class"), `
jupyterhub: error: Do not have permission to grant share with scope access:servers!server=alice/
jupyterhub: hint: root may do everything; others what their own hub account may
[1]
`)
	var list []client.Share
	out := strings.TrimSuffix(m.run("shares", "list", "alice", "--json"), "[0]\n")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 || list[1].Group.Name != "class" {
		t.Errorf("%v: %s", err, out)
	}
}

// What is shared with nobody, or taken back from nobody, is a wrong command line and reaches no hub.
func TestSharesWantToKnowWithWhom(t *testing.T) {
	m := newMachine(t, "")
	for line, want := range map[string]string{
		"add alice":                            "at least one of the flags in the group [user group] is required",
		"add alice --user bob --group class":   "if any flags in the group [user group] are set none of the others can be",
		"remove alice":                         "at least one of the flags in the group [user group all] is required",
		"remove alice --all --user bob":        "if any flags in the group [all user] are set none of the others can be",
		"code alice --expires-in soon":         "is no span of time",
		"revoke alice/gpu":                     "jupyterhub shares codes alice/gpu lists those that there are",
		"revoke alice/gpu sc_3 --all":          "name codes, or say --all",
		"leave bob":                            "jupyterhub shares leave wants USER OWNER[/SERVER]",
		"list":                                 "jupyterhub shares list wants USER[/SERVER]",
		"with class --group --json --user bob": "unknown flag: --user",
	} {
		if out := m.run(append([]string{"shares"}, strings.Fields(line)...)...); !strings.Contains(out, want) || strings.Contains(out, "[0]") {
			t.Errorf("%s: %s", line, out)
		}
	}
}

// The shell completes servers, and whom to share with.
func TestServersAreCompleted(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/users?include_stopped_servers=1&name_filter=ali&sort=name":   onePage(aliceModel),
		"GET /hub/api/users?include_stopped_servers=1&name_filter=alice&sort=name": onePage(aliceModel),
		"GET /hub/api/users?name_filter=b&sort=name":                               onePage(`{"name":"bob"}`),
	})
	compare(t, m.run(cobra.ShellCompNoDescRequestCmd, "shares", "add", "ali"), "\nalice\nalice/gpu\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n")
	compare(t, m.run(cobra.ShellCompNoDescRequestCmd, "servers", "stop", "alice/g"), "\nalice\nalice/gpu\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n")
	compare(t, m.run(cobra.ShellCompNoDescRequestCmd, "shares", "add", "alice", "--user", "b"), "\nbob\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n[0]\n")
}
