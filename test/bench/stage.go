package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// Where things stand in the bed.
const (
	here       = "/var/lib/bench"                  // ours, root's alone
	singleUser = "/usr/local/bin/bench-singleuser" // what servers run
)

// Units of ours.
const (
	hubUnit    = "jupyterhub.service"
	proxyUnit  = "jupyterhub-proxy.service"
	spawndUnit = "jupyterhub-spawnd.service"
)

// settings are what differs from the product as it is shipped: what servers run, and that a list may be long.
const settings = `[hub]
api_page_max_limit = 1000
[spawner]
cmd = ["` + singleUser + `"]
`

// stage is a bed with the product and with whatever of the references there is.
type stage struct {
	bed     *testbed.Bed
	size    size
	log     io.Writer
	scores  scores
	missing []string

	people []hub.Account // of the bed, without passwords: who has servers here
	own    *site         // the product
	other  *site         // JupyterHub; nil where it is missing
	chp    []string      // the command; nil where it is missing
}

// open boots the bed and starts everything in it.
func open(ctx context.Context, o options) (*stage, error) {
	bed, err := testbed.Boot(ctx, testbed.Options{Bare: true})
	if err != nil {
		return nil, err
	}
	s := &stage{bed: bed, size: o.size, log: o.log, scores: scores{}}
	for _, step := range []func(context.Context) error{s.installSingleUser, s.addPeople, s.installProduct, s.startJupyterHub} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *stage) close() error { return s.bed.End() }

// installSingleUser puts the stand-in for jupyterhub-singleuser where nobody but root can write.
func (s *stage) installSingleUser(ctx context.Context) error {
	return s.install(ctx, "./singleuser", singleUser)
}

// install builds a program of this directory and puts it somewhere in the bed.
func (s *stage) install(ctx context.Context, source, path string) error {
	file := filepath.Join(os.TempDir(), s.bed.Name+"-"+filepath.Base(source))
	defer os.Remove(file)
	build := exec.CommandContext(ctx, "go", "build", "-o", file, source)
	build.Dir, build.Env = sourceDir(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return s.bed.WriteFile(ctx, path, string(program), 0o755)
}

// sourceDir is where this file was compiled from.
func sourceDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// firstUID is where the numbers of people begin, far from those that useradd has given.
const firstUID = 20000

// addPeople makes accounts as a directory service would, all at once: nobody logs in to them.
func (s *stage) addPeople(ctx context.Context) error {
	var passwd, group strings.Builder
	for i := range max(s.size.burst, s.size.large, s.size.running+s.size.serial) {
		a := hub.Account{Name: fmt.Sprintf("p%03d", i), UID: int64(firstUID + i), GID: int64(firstUID + i)}
		a.Home = "/home/" + a.Name
		s.people = append(s.people, a)
		fmt.Fprintf(&passwd, "%s:x:%d:%d::%s:/bin/sh\n", a.Name, a.UID, a.GID, a.Home)
		fmt.Fprintf(&group, "%s:x:%d:\n", a.Name, a.GID)
	}
	_, err := s.bed.Run(ctx, "sh", "-ec", `printf %s "$1" >>/etc/passwd; printf %s "$2" >>/etc/group
		printf %s "$1" | while IFS=: read -r name x uid gid x home x; do mkdir "$home"; chown "$uid:$gid" "$home"; done`,
		"sh", passwd.String(), group.String())
	if err != nil {
		return fmt.Errorf("make accounts: %w", err)
	}
	return nil
}

// installProduct installs the product as an admin does, and gets a token of an administrator.
func (s *stage) installProduct(ctx context.Context) error {
	if err := s.bed.Install(ctx, settings); err != nil {
		return err
	}
	if err := s.bound(ctx, unbounded); err != nil {
		return err
	}
	if _, err := s.bed.Systemctl(ctx, "enable", "--now", "jupyterhub"); err != nil {
		return fmt.Errorf("enable the product: %w\n%s", err, s.bed.Journal(ctx))
	}
	if err := s.bed.AwaitHub(ctx); err != nil {
		return err
	}
	root, err := client.New(s.bed.Path("/run/jupyterhub/admin.sock"), "")
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.CreateUsers(ctx, client.CreateUsers{Usernames: []string{"admin"}, Admin: true}); err != nil {
		return fmt.Errorf("make an administrator: %w", err)
	}
	token, err := root.NewToken(ctx, "admin", client.TokenRequest{Note: "benchmarks"})
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	s.own = newSite(ours, strings.TrimSuffix(testbed.URL, "/"), "http://127.0.0.1:8081", token.Value, s.transport())
	return s.own.createUsers(ctx, s.names())
}

func (s *stage) names() (names []string) {
	for _, p := range s.people {
		names = append(names, p.Name)
	}
	return names
}

// transport keeps a connection for each of a burst.
func (s *stage) transport() *http.Transport {
	t := s.bed.Transport()
	t.MaxIdleConnsPerHost = 256
	t.DisableCompression = true
	return t
}

// contender takes its turn in each round.
type contender struct {
	name string
	turn func(ctx context.Context) error
}

// inTurn lets the contenders take turns; each round begins with another one.
func (s *stage) inTurn(ctx context.Context, rounds int, contenders ...contender) error {
	for round := range rounds {
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			if err := c.turn(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// sites are the hubs that there are.
func (s *stage) sites() []*site {
	if s.other == nil {
		return []*site{s.own}
	}
	return []*site{s.own, s.other}
}

// eachSite lets the hubs take turns.
func (s *stage) eachSite(ctx context.Context, rounds int, turn func(context.Context, *site) error) error {
	var contenders []contender
	for _, hub := range s.sites() {
		contenders = append(contenders, contender{hub.name, func(ctx context.Context) error { return turn(ctx, hub) }})
	}
	return s.inTurn(ctx, rounds, contenders...)
}
