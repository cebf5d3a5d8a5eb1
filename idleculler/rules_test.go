package idleculler

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub/client"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// golden compares a table with a file that people can read.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v); run with -update and read what changed:\n%s", file, err, got)
	}
}

// ago is a moment before noon; "never" is none.
func ago(s string) client.Time {
	if s == "never" {
		return client.Time{}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return client.At(noon.Add(-d))
}

// TestServers goes through every combination that the rules can tell apart, with a timeout of one hour and a maximal age of
// one day. A line of the golden file is a case and its verdict.
func TestServers(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-10s %-9s %-8s %-8s %-8s  verdict\n", "kind", "state", "activity", "started", "max_age", "culled")
	for _, kind := range []string{"", "gpu"} {
		for _, state := range []string{"ready", "spawn", "stop", "check", "neither"} {
			for _, activity := range []string{"59m59s", "1h", "never"} {
				for _, started := range []string{"30m", "24h", "never"} {
					for _, maxAge := range []time.Duration{0, 24 * time.Hour} {
						for _, culled := range []bool{true, false} {
							o := Options{Timeout: time.Hour, MaxAge: maxAge, CullDefaultServers: culled, CullNamedServers: culled}
							s := client.Server{Name: kind, Ready: state == "ready", LastActivity: ago(activity), Started: ago(started)}
							if state != "ready" && state != "neither" {
								s.Pending = client.Text(state)
							}
							v := o.server(s, kind, noon)
							if v == keep {
								v = "-"
							}
							fmt.Fprintf(&b, "%-8s %-10s %-9s %-8s %-8s %-8t  %s\n",
								map[string]string{"": "default", "gpu": "named"}[kind], state, activity, started, hours(maxAge), culled, v)
						}
					}
				}
			}
		}
	}
	golden(t, "testdata/servers.golden", b.String())
}

// TestUsers does the same for users, all of whose servers have stopped.
func TestUsers(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %-9s %-8s %-8s %-11s %-16s  verdict\n", "admin", "activity", "created", "max_age", "cull_users", "cull_admin_users")
	for _, admin := range []bool{false, true} {
		for _, activity := range []string{"59m59s", "1h", "never"} {
			for _, created := range []string{"30m", "24h", "never"} {
				for _, maxAge := range []time.Duration{0, 24 * time.Hour} {
					for _, cull := range []string{"no", "but admins", "all"} {
						o := Options{Timeout: time.Hour, MaxAge: maxAge, CullUsers: cull != "no", CullAdminUsers: cull == "all"}
						u := client.User{Admin: client.Show(admin), LastActivity: client.Show(ago(activity)), Created: client.Show(ago(created))}
						v := o.user(u, noon)
						if v == keep {
							v = "-"
						}
						fmt.Fprintf(&b, "%-6t %-9s %-8s %-8s %-11t %-16t  %s\n", admin, activity, created, hours(maxAge), o.CullUsers, o.CullAdminUsers, v)
					}
				}
			}
		}
	}
	golden(t, "testdata/users.golden", b.String())
}

func hours(d time.Duration) string { return fmt.Sprintf("%gh", d.Hours()) }
