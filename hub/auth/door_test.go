package auth

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// loginDoor is the door of tests: it asks for a password, and for a code where the account has one. Like the real one it
// refuses everybody in the same words after the same time.
type loginDoor struct {
	refusalTakes time.Duration

	mu       sync.Mutex // guards everything below
	accounts map[string]*loginAccount
	begun    []string // names, in order
	open     int      // conversations that were not closed
	most     int      // the most that were open at a time
	away     error
	rhosts   []string
}

type loginAccount struct {
	hub.Account
	password, code string
	hiddenCode     bool // as some modules ask for it
	locked         bool
	expired        bool
}

func newLoginDoor() *loginDoor {
	d := &loginDoor{accounts: make(map[string]*loginAccount)}
	d.add("admin", 1001, "swordfish", "sudo")
	d.add("alice", 1002, "wonderland")
	d.add("bob", 1003, "builder")
	d.add("mallory", 1004, "malice")
	return d
}

func (d *loginDoor) add(name string, uid int64, password string, groups ...string) *loginAccount {
	a := &loginAccount{Account: hub.Account{Name: name, UID: uid, Groups: groups}, password: password}
	d.accounts[name] = a
	return a
}

// Begin knows names in any case, as a directory does.
func (d *loginDoor) Begin(_ context.Context, user, rhost string) (Conversation, hub.Step, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return nil, hub.Step{}, d.away
	}
	d.begun, d.rhosts = append(d.begun, user), append(d.rhosts, rhost)
	d.open++
	d.most = max(d.most, d.open)
	return &loginTalk{d: d, account: d.accounts[strings.ToLower(user)]}, hub.Step{Prompts: []hub.Prompt{{Text: "Password: "}}}, nil
}

func (d *loginDoor) count(name string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.begun {
		if b == name {
			n++
		}
	}
	return n
}

// talking returns how many conversations are open.
func (d *loginDoor) talking() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

type loginTalk struct {
	d       *loginDoor
	account *loginAccount
	good    bool
	closed  bool
}

func (c *loginTalk) Answer(ctx context.Context, answers []string) (hub.Step, error) {
	a := c.account
	switch {
	case c.good && answers[0] == a.code && a.expired:
		return hub.Step{}, hub.Errorf(hub.Expired, "expired")
	case c.good && answers[0] == a.code:
		return hub.Step{Account: &a.Account}, nil
	case !c.good && a != nil && !a.locked && answers[0] == a.password && a.code != "":
		c.good = true
		return hub.Step{Prompts: []hub.Prompt{{Text: "Code: ", Echo: !a.hiddenCode}}}, nil
	case !c.good && a != nil && !a.locked && answers[0] == a.password && a.expired:
		return hub.Step{}, hub.Errorf(hub.Expired, "expired")
	case !c.good && a != nil && !a.locked && answers[0] == a.password:
		return hub.Step{Account: &a.Account}, nil
	}
	select {
	case <-time.After(c.d.refusalTakes):
		return hub.Step{}, hub.Errorf(hub.Forbidden, "PAM said no, and why")
	case <-ctx.Done():
		return hub.Step{}, ctx.Err()
	}
}

func (c *loginTalk) Close() error {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.d.open--
	}
	return nil
}

// passwdDoor asks for the old password, then for the new one twice.
type passwdDoor struct{ d *loginDoor }

func (p passwdDoor) Begin(_ context.Context, user, _ string) (Conversation, hub.Step, error) {
	return &passwdTalk{account: p.d.accounts[user]}, hub.Step{Messages: []string{"Your password has expired."}, Prompts: []hub.Prompt{{Text: "Current: "}}}, nil
}

type passwdTalk struct {
	account *loginAccount
	typed   []string
}

func (c *passwdTalk) Answer(_ context.Context, answers []string) (hub.Step, error) {
	c.typed = slices.Concat(c.typed, answers)
	switch len(c.typed) {
	case 1:
		if c.typed[0] != c.account.password {
			return hub.Step{}, hub.Errorf(hub.Forbidden, "no")
		}
		return hub.Step{Messages: []string{"Choose well."}, Prompts: []hub.Prompt{{Text: "New: "}, {Text: "Again: "}}}, nil
	case 3:
		if c.typed[1] != c.typed[2] || len(c.typed[1]) < 8 {
			return hub.Step{}, hub.Errorf(hub.Invalid, "BAD PASSWORD: it is too short")
		}
		c.account.password, c.account.expired = c.typed[1], false
		return hub.Step{Account: &c.account.Account}, nil
	}
	return hub.Step{}, hub.Errorf(hub.Invalid, "one answer a question")
}

func (c *passwdTalk) Close() error { return nil }
