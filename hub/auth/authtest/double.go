package authtest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"jupyterhubd/hub"
)

// refusal is the double's one sentence.
const refusal = "No: a wrong name, or a wrong password."

// Account is one that the double knows.
type Account struct {
	hub.Account
	Password string
	Code     string // asked for after the password, when set
	Expired  bool   // the password must be changed
	Refused  bool   // whatever is answered
	State    string // auth_state that comes with a login, when set
}

// Double is an authenticator in memory. It ignores the case of names, as a directory server may.
type Double struct {
	changes bool // a passwd door: expired passwords are asked for anew and changed, not refused
	*people
}

// people are the accounts behind one or two doors.
type people struct {
	mu       sync.Mutex          // guards the rest
	accounts map[string]*Account // by lower-cased name
	begun    int
}

// NewDouble returns a double that knows alice (password "correct horse"), bob (with the code "123456" beside "battery
// staple"), admin ("hunter2 and more") in group sudo, carol, whose password "old" has expired, and mallory, who is refused.
func NewDouble() *Double {
	d := &Double{people: &people{accounts: map[string]*Account{}}}
	for i, a := range []Account{
		{Account: hub.Account{Name: "alice"}, Password: "correct horse"},
		{Account: hub.Account{Name: "bob"}, Password: "battery staple", Code: "123456"},
		{Account: hub.Account{Name: "admin", Groups: []string{"admin", "sudo"}}, Password: "hunter2 and more"},
		{Account: hub.Account{Name: "carol"}, Password: "old", Expired: true},
		{Account: hub.Account{Name: "mallory"}, Password: "evil", Refused: true},
	} {
		a.UID, a.GID, a.Home, a.Shell = int64(1000+i), int64(1000+i), "/home/"+a.Name, "/bin/bash"
		if a.Groups == nil {
			a.Groups = []string{a.Name}
		}
		d.Put(a)
	}
	return d
}

// DoubleCast is the cast of NewDouble for Run.
func DoubleCast() Cast {
	return Cast{
		Good:   Person{"bob", []string{"battery staple", "123456"}},
		Others: []string{"BOB", "Bob"},
		Refused: map[string]Person{
			"locked":       {"mallory", []string{"evil"}},
			"a wrong code": {"bob", []string{"battery staple", "654321"}},
		},
	}
}

// Changer is the passwd door to the same accounts.
func (d *Double) Changer() *Double { return &Double{changes: true, people: d.people} }

// Put adds or replaces an account.
func (d *Double) Put(a Account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts[strings.ToLower(a.Name)] = &a
}

// Begun returns how many conversations were begun, at both doors.
func (d *Double) Begun() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun
}

// Account looks a name up, as the door's method does.
func (d *Double) Account(ctx context.Context, name string) (hub.Account, error) {
	switch a := d.find(name); {
	case ctx.Err() != nil:
		return hub.Account{}, ctx.Err()
	case a == nil:
		return hub.Account{}, hub.Errorf(hub.NotFound, "there is no such account")
	case a.Refused:
		return hub.Account{}, hub.Errorf(hub.Forbidden, "%q is not admitted", a.Name)
	default:
		return a.Account, nil
	}
}

func (d *Double) find(name string) *Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[strings.ToLower(name)]; a != nil {
		found := *a
		return &found
	}
	return nil
}

// Begin asks for the password, whoever it is.
func (d *Double) Begin(ctx context.Context, user, _ string) (Conversation, hub.Step, error) {
	if ctx.Err() != nil {
		return nil, hub.Step{}, ctx.Err()
	}
	d.mu.Lock()
	d.begun++
	d.mu.Unlock()
	t := &talk{double: d, account: d.find(user)}
	step, _ := t.askFor("Password: ", t.password)
	return t, step, nil
}

// talk is a conversation with the double. then is what takes the next answer; nil when the conversation is over.
type talk struct {
	double  *Double
	account *Account // nil for a stranger
	then    func(string) (hub.Step, error)
	chosen  string // the new password, between its two questions
}

func (t *talk) askFor(text string, then func(string) (hub.Step, error)) (hub.Step, error) {
	t.then = then
	return hub.Step{Prompts: []hub.Prompt{{Text: text, Echo: strings.HasSuffix(text, "code: ")}}}, nil
}

// Answer takes the answer to the one question.
func (t *talk) Answer(ctx context.Context, answers []string) (hub.Step, error) {
	switch {
	case ctx.Err() != nil:
		return hub.Step{}, ctx.Err()
	case t.then == nil:
		return hub.Step{}, hub.Errorf(hub.Conflict, "there is no question to answer")
	case len(answers) != 1:
		return hub.Step{}, hub.Errorf(hub.Invalid, "%d answers to one question", len(answers))
	}
	then := t.then
	t.then = nil
	return then(answers[0])
}

// Close ends the conversation.
func (t *talk) Close() error {
	t.then = nil
	return nil
}

func (t *talk) password(answer string) (hub.Step, error) {
	a := t.account
	switch {
	case a == nil || a.Refused || answer != a.Password:
		return hub.Step{}, hub.Errorf(hub.Forbidden, refusal)
	case a.Code != "":
		return t.askFor("Verification code: ", t.code)
	}
	return t.good()
}

func (t *talk) code(answer string) (hub.Step, error) {
	if answer != t.account.Code {
		return hub.Step{}, hub.Errorf(hub.Forbidden, refusal)
	}
	return t.good()
}

func (t *talk) good() (hub.Step, error) {
	switch {
	case !t.account.Expired:
		return hub.Step{Account: &t.account.Account, AuthState: json.RawMessage(t.account.State)}, nil
	case !t.double.changes:
		return hub.Step{}, hub.Errorf(hub.Expired, "The password has expired and has to be changed.")
	}
	return t.askFor("New password: ", func(answer string) (hub.Step, error) {
		t.chosen = answer
		return t.askFor("Retype new password: ", t.retyped)
	})
}

func (t *talk) retyped(answer string) (hub.Step, error) {
	if answer != t.chosen || len(answer) < 4 {
		return hub.Step{}, hub.Errorf(hub.Invalid, "the password was not changed: it is too short, or the two do not match")
	}
	t.account.Password, t.account.Expired = answer, false
	t.double.Put(*t.account)
	return hub.Step{Account: &t.account.Account}, nil
}
