package spawner

import (
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// The examples are JupyterHub's own (specification 1.1 and 3.1).
func TestNamesInURLs(t *testing.T) {
	u := URLs{Base: "/jh/"}
	for _, c := range []struct{ user, server, prefix, client string }{
		{"alice", "", "/jh/user/alice/", "jupyterhub-user-alice"},
		{"alice", "lab-2", "/jh/user/alice/lab-2/", "jupyterhub-user-alice-lab-2"},
		{"a@b.c", "", "/jh/user/a@b.c/", "jupyterhub-user-a%40b.c"},
		{"we ird", "", "/jh/user/we%20ird/", "jupyterhub-user-we%20ird"},
		{"ü~", "", "/jh/user/%C3%BC~/", "jupyterhub-user-%C3%BC~"},
		{`dom\dd`, "", "/jh/user/dom%5Cdd/", "jupyterhub-user-dom%5Cdd"},
		{"a/b", "", "/jh/user/a%2Fb/", "jupyterhub-user-a/b"},
	} {
		ref := hub.ServerRef{User: c.user, Server: c.server}
		if got := u.Prefix(ref); got != c.prefix {
			t.Errorf("%s is at %s, want %s", ref, got, c.prefix)
		}
		if got := clientID(ref); got != c.client {
			t.Errorf("%s is the client %s, want %s", ref, got, c.client)
		}
	}
}

func FuzzEscapeName(f *testing.F) {
	for _, name := range []string{"alice", "a@b", "ü", "%41", "../x", "\x00\xff", "a/b?c#d"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		back, err := url.PathUnescape(EscapeName(name))
		if err != nil || back != name {
			t.Fatalf("%q became %q and then %q, %v", name, EscapeName(name), back, err)
		}
		u, err := url.Parse("/user/" + EscapeName(name) + "/")
		if err != nil || u.Path != "/user/"+name+"/" || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q leaves its segment: %+v, %v", name, u, err)
		}
	})
}

// The address is systemd's, but any local process may connect from an abstract address of its own making.
func FuzzParseAddress(f *testing.F) {
	for _, addr := range []string{
		"@adf9d86b6eda275e/unit/jupyter-alice.service/environment", `@1/unit/jupyter-we\x20ird.service/token`, "", "@", "@/unit//",
		"@1/unit/a/b/c", "@1/unit/../b", "/run/x.sock", "@zz/unit/a/b", "\x00@1/unit/a/b", "@1/unit/a\n/b",
	} {
		f.Add(addr)
	}
	for _, n := range []int{longest, longest + 1} {
		f.Add("@1/unit/" + strings.Repeat("u", n) + "/c")
		f.Add("@1/unit/u/" + strings.Repeat("c", n))
	}
	f.Fuzz(func(t *testing.T, addr string) {
		q, ok := parseAddress(addr)
		if !ok {
			if q != (question{}) {
				t.Fatalf("refused and answered %+v", q)
			}
			return
		}
		if len(q.unit) > longest || len(q.credential) > longest {
			t.Fatalf("%q has names that nothing has", addr)
		}
		if q.unit == "" || q.credential == "" || addr[len(addr)-len(q.credential)-1] != '/' {
			t.Fatalf("%q became %+v", addr, q)
		}
	})
}
