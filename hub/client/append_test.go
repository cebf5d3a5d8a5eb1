package client_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// full has something in every field; whoever adds one is told to give it something here, and to write it.
func full(t *testing.T) (client.User, client.Server) {
	when, name, n := client.At(time.Date(2026, 11, 24, 12, 0, 0, 5000, time.UTC)), `Lab "1"`, int64(5)
	s := client.Server{
		Name: "lab", DisplayName: &name, FullName: "alice/lab", LastActivity: when, Started: when, Pending: "spawn", Ready: true, Stopped: true,
		URL: "/user/alice/lab/", UserOptions: json.RawMessage(`{ "a": "<&>" }`), ProgressURL: "/p", FullURL: "https://x/", FullProgressURL: "https://x/p",
		State:   client.Show(client.ServerState{Unit: "jupyter-alice.service", UID: 1000, Memory: &n}),
		Failure: &hub.Cause{Kind: hub.CauseExited, Message: "no", Journal: []string{"x"}},
	}
	u := client.User{
		Kind: "user", Name: "alice", Admin: client.Show(true), UserInfo: client.Show(json.RawMessage("null")), Roles: client.Show([]string{"user"}),
		Groups: client.Show([]string{"class", "ümit"}), Server: client.Show(client.Text("/user/alice/")), Pending: client.Show(client.Text("stop")),
		Created: client.Show(when), LastActivity: client.Show(when), AuthState: client.Show(json.RawMessage(`{"a": 1}`)),
		Servers: client.Show(map[string]client.Server{"": s, "lab": s}),
	}
	for _, v := range []reflect.Value{reflect.ValueOf(u), reflect.ValueOf(s)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is empty here: give it something, and see that AppendJSON writes it", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	return u, s
}

// What a model writes by itself is what encoding/json makes of it.
func TestModelsWriteTheSameJSON(t *testing.T) {
	u, s := full(t)
	page := client.Page[any]{Items: client.Users{u, {}, u}, Pagination: client.Pagination{Total: 3, Next: &client.NextPage{URL: "https://x/?a&b"}}}
	for _, v := range []client.Appender{u, s, client.User{}, client.Server{}, client.Users{}, client.Users{u, {}}, page,
		client.Identity{User: u, TokenID: "a1", SessionID: "s", Scopes: []string{"self"}}, client.Identity{Scopes: []string{}}} {
		same(t, v)
	}
	rapid.Check(t, func(t *rapid.T) {
		u, text := u, rapid.String()
		u.Name = text.Draw(t, "name")
		u.Groups = client.Show(rapid.SliceOf(text).Draw(t, "groups"))
		u.Pending = client.Show(client.Text(text.Draw(t, "pending")))
		u.Created = client.Show(client.At(time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))))
		u.Admin.Shown, u.Servers.Shown, u.LastActivity.Shown = rapid.Bool().Draw(t, "a"), rapid.Bool().Draw(t, "b"), rapid.Bool().Draw(t, "c")
		same(t, u)
	})
}

func same(t interface{ Errorf(string, ...any) }, v client.Appender) {
	got, err := v.AppendJSON(nil)
	want, wantErr := json.Marshal(v)
	if err != nil || wantErr != nil || string(got) != string(want) {
		t.Errorf("wrote\n%s (%v), want\n%s (%v)", got, err, want, wantErr)
	}
}
