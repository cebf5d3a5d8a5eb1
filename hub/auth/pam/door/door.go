package door

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/varlink"
)

// Refusal is the sentence of every refusal: a wrong password, an unknown or locked account, root, a system account, one that
// root's rules do not admit.
const Refusal = "The user name or the password is wrong, or this account may not log in here."

// standIn is put to PAM in place of whoever must not come in. It is longer than useradd accepts, so nobody has the name.
const standIn = "jupyterhub-stands-in-for-who-must-not-come-in"

// Limits of one connection's life.
const (
	lifetime = 2 * time.Minute
	linger   = time.Second     // after the last answer, for the caller to read it and hang up
	winding  = 5 * time.Second // for PAM to finish what it is writing when the caller leaves
)

// Ask shows messages and puts one question to whoever is logging in.
type Ask = func(messages []string, prompt hub.Prompt) (answer string, err error)

// Converse holds a PAM conversation. It refuses with errors of kind Forbidden, Expired, Invalid or Unavailable.
type Converse func(user, remoteHost, tty string, ask Ask) (End, error)

// End is the good end of a conversation.
type End struct {
	Name      string            // PAM_USER
	Messages  []string          // not shown yet
	Variables map[string]string // of PAM's environment; what root lets out
}

// Stack is one of the machine's PAM services.
type Stack struct {
	Converse Converse
	// Standing reports whether the account phase admits a user (conv.Standing).
	Standing func(user string) error
}

// Options is what a door is made of.
type Options struct {
	Stack         // of accounts
	Guests  Stack // of who has no account, and is in Rules.Guests
	Rules   account.Rules
	Aliases account.Aliases                                             // by which the hub knows accounts
	Lookup  func(ctx context.Context, name string) (hub.Account, error) // account.NSS.Lookup
	// Locked reports whether an account's password was locked (account.NSS.Locked).
	Locked func(ctx context.Context, name string) (bool, error)
	Caller int64 // the uid that may call, beside root's
	// Report is told how the conversation ended, for the log: err is nil after a login. The user name is the typed one, or
	// empty if that could not be an account's.
	Report func(user, remoteHost string, err error)
}

// Serve answers one connection and closes it: after the last answer, after two minutes, or when ctx ends.
func Serve(ctx context.Context, c net.Conn, o Options) error {
	ctx, end := context.WithTimeout(ctx, lifetime)
	defer end()
	d := &door{Options: o, end: end}
	s := varlink.Service{
		Vendor: "jupyterhubd", Product: "jupyterhub-pam", Version: hub.Version,
		Allow: d.allow,
		Interfaces: []varlink.Interface{{
			Name:        varlink.Authenticator,
			Description: varlink.AuthenticatorInterface,
			Methods:     map[string]varlink.Handler{"Begin": d.begin, "Answer": d.answer, "Account": d.account, "Check": d.check},
		}},
	}
	err := s.ServeConn(ctx, c)
	end()
	d.windUp()
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// door is the state of one connection. Calls on a connection take turns, so nothing here is shared.
type door struct {
	Options
	end  func()
	talk *talk // once Begin was called
}

func (d *door) allow(peer varlink.Cred) error {
	if peer.UID == 0 || int64(peer.UID) == d.Caller {
		return nil
	}
	return hub.Errorf(hub.Forbidden, "uid %d may not call this door", peer.UID)
}

// begin is the method Begin: it decides who is put to PAM and waits for the first question.
func (d *door) begin(ctx context.Context, r *varlink.Request) error {
	var in struct {
		User       string `json:"user"`
		RemoteHost string `json:"remote_host"`
		TTY        string `json:"tty"`
	}
	started := time.Now()
	if err := r.Decode(&in); err != nil {
		return err
	}
	if d.talk != nil {
		return hub.Errorf(hub.Conflict, "a connection carries one conversation")
	}
	t := newTalk(in.User, origin(in.RemoteHost, maxHost))
	own, _, err := d.admit(ctx, in.User)
	stack := d.Stack
	if t.guest = own.Guest; t.guest {
		stack, t.asWho = d.Guests, own.Name
	}
	switch hub.KindOf(err) {
	case hub.NotFound, hub.Invalid, hub.Forbidden:
		t.refused, t.asWho = err, standIn
	default:
		if err != nil { // nobody can be logged in, whoever it is
			d.report(t, err)
			return d.refuse(ctx, started, err)
		}
	}
	d.talk = t
	go t.hold(ctx, stack.Converse, origin(in.TTY, maxTTY))
	return d.next(ctx, r, started)
}

// answer is the method Answer.
func (d *door) answer(ctx context.Context, r *varlink.Request) error {
	var in struct {
		Answers []string `json:"answers"`
	}
	started := time.Now()
	if err := r.Decode(&in); err != nil {
		return err
	}
	if d.talk == nil || !d.talk.asking {
		return hub.Errorf(hub.Conflict, "there is no question to answer")
	}
	if len(in.Answers) != 1 {
		return hub.Errorf(hub.Invalid, "%d answers to one question", len(in.Answers))
	}
	d.talk.asking = false
	select {
	case d.talk.answers <- in.Answers[0]:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return d.next(ctx, r, started)
}

// account is the method Account. It needs no equal times: the caller is our own hub, asking for an admin.
func (d *door) account(ctx context.Context, r *varlink.Request) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	_, known, err := d.admitUser(ctx, in.Name)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Account hub.Account `json:"account"`
	}{known})
}

// check is the method Check: an account that was admitted once is looked at again.
func (d *door) check(ctx context.Context, r *varlink.Request) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	a, known, err := d.admitUser(ctx, in.Name)
	if err != nil {
		return err
	}
	switch err = d.usable(ctx, a); hub.KindOf(err) {
	case hub.Forbidden:
		return &hub.Error{Kind: hub.Forbidden, Text: fmt.Sprintf("the account %q may not be used: %v", a.Name, err)}
	case hub.NotFound:
		return hub.Errorf(hub.NotFound, "PAM does not know %q any more", a.Name)
	case hub.Unavailable:
		return hub.Errorf(hub.Unavailable, "the account cannot be looked at just now")
	}
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Account hub.Account `json:"account"`
	}{known})
}

// usable asks whether an account that root's rules admit may be used at this moment. A guest who is gone is nobody; an account that the
// name service knows and PAM does not is there, and shut.
func (d *door) usable(ctx context.Context, a hub.Account) error {
	if a.Guest {
		return d.Guests.Standing(a.Name)
	}
	locked, err := d.Locked(ctx, a.Name)
	if err == nil && locked {
		err = hub.Errorf(hub.Forbidden, "the password of %q is locked", a.Name)
	}
	if err == nil {
		err = d.Standing(a.Name)
	}
	if hub.KindOf(err) == hub.NotFound {
		return &hub.Error{Kind: hub.Forbidden, Err: err}
	}
	return err
}

// admit looks up a name of the system's and asks root's rules, by the name as typed and by the account's own. It returns the account
// as the system knows it, and as the hub does. Who has no account may be a guest.
func (d *door) admit(ctx context.Context, name string) (own, known hub.Account, err error) {
	own, err = d.Lookup(ctx, name)
	if hub.KindOf(err) == hub.NotFound {
		return d.admitGuest(ctx, name, err)
	}
	if err != nil {
		return own, own, err
	}
	if d.Rules.Blocks(name) {
		return own, own, hub.Errorf(hub.Forbidden, "%q is in blocked_users", name)
	}
	if err := d.Rules.Admit(own); err != nil {
		return own, own, err
	}
	known = own
	if known.Name, err = d.Aliases.User(own.Name); err == nil {
		err = d.Rules.AdmitUser(known.Name)
	}
	return own, known, err
}

// admitGuest admits a name that is no account's as a guest's. own says that it would be one even where it is refused; unknown is the
// answer for one that would not.
func (d *door) admitGuest(ctx context.Context, typed string, unknown error) (own, known hub.Account, err error) {
	name, is := d.Rules.Guests.Spelled(typed)
	if !is {
		return own, known, unknown
	}
	if name != typed {
		if _, err := d.Lookup(ctx, name); hub.KindOf(err) != hub.NotFound {
			return own, known, cmp.Or(err, unknown) // an account's name, in letters that are not its own
		}
	}
	own = hub.Account{Name: name, Guest: true}
	if d.Rules.Blocks(typed) {
		return own, own, hub.Errorf(hub.Forbidden, "%q is in blocked_users", typed)
	}
	guest, err := d.Rules.Guest(name)
	if err != nil {
		return own, own, err
	}
	user, err := d.Aliases.User(name)
	if err == nil && user != name {
		err = hub.Errorf(hub.Forbidden, "%q is an account's name in username_map, and no guest's", name)
	}
	if err == nil {
		err = d.Rules.AdmitUser(name)
	}
	return guest, guest, err
}

// admitUser is admit by the hub's name. That is how a guest is spelled.
func (d *door) admitUser(ctx context.Context, user string) (own, known hub.Account, err error) {
	name, err := d.Aliases.Account(user)
	if err != nil {
		return own, known, err
	}
	own, known, err = d.admit(ctx, name)
	if own.Guest && own.Name != user {
		return own, known, hub.Errorf(hub.NotFound, "there is no account %q, and a guest is spelled %q", user, own.Name)
	}
	return own, known, err
}

type reply struct {
	Step hub.Step `json:"step"`
}

// next waits for PAM's next question or its last word, and says it at a time that tells nothing.
func (d *door) next(ctx context.Context, r *varlink.Request, started time.Time) error {
	select {
	case q := <-d.talk.questions:
		d.talk.asking = true
		if err := pace(ctx, started, questionGrain); err != nil {
			return err
		}
		return r.Reply(reply{hub.Step{Messages: q.messages, Prompts: []hub.Prompt{q.prompt}}})
	case <-d.talk.over:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { time.AfterFunc(linger, d.end) }()
	step, err := d.lastWord(ctx)
	d.report(d.talk, err)
	if err != nil {
		return d.refuse(ctx, started, err)
	}
	return r.Reply(reply{step})
}

// lastWord looks the account up again: PAM may have authenticated another name than the one that was admitted.
func (d *door) lastWord(ctx context.Context) (hub.Step, error) {
	t := d.talk
	if t.refused != nil && (t.err == nil || hub.KindOf(t.err) != hub.Unavailable) {
		return hub.Step{}, &hub.Error{Kind: hub.Forbidden, Err: t.refused}
	}
	if t.err != nil {
		return hub.Step{}, t.err
	}
	_, a, err := d.admit(ctx, t.end.Name)
	if hub.KindOf(err) == hub.Unavailable {
		return hub.Step{}, err
	}
	if err == nil && a.Guest != t.guest { // what proves a guest proves no account, nor the other way round
		err = errors.New("PAM's service for guests vouches for guests alone, and the other for accounts alone")
	}
	if err != nil {
		return hub.Step{}, &hub.Error{Kind: hub.Forbidden, Err: fmt.Errorf("PAM ended with the user %q: %w", t.end.Name, err)}
	}
	state, err := authState(t.end.Variables)
	return hub.Step{Messages: t.end.Messages, Account: &a, AuthState: state}, err
}

// authState is what the hub is told of PAM's environment.
func authState(variables map[string]string) (json.RawMessage, error) {
	if len(variables) == 0 {
		return nil, nil
	}
	return json.Marshal(struct {
		Environment map[string]string `json:"pam_environment"`
	}{variables})
}

// refuse gives what the caller may know of err. Only a password that PAM found right may be told to be expired, or its
// successor to be too weak.
func (d *door) refuse(ctx context.Context, started time.Time, err error) error {
	switch hub.KindOf(err) {
	case hub.Expired:
		return hub.Errorf(hub.Expired, "The password has expired and has to be changed.")
	case hub.Invalid:
		return hub.Errorf(hub.Invalid, "%s", hub.TextOf(err))
	case hub.Unavailable:
		return hub.Errorf(hub.Unavailable, "Logging in does not work on this machine just now. Its administrator finds the reason in the journal.")
	}
	if err := pace(ctx, started, refusalGrain); err != nil {
		return err
	}
	return hub.Errorf(hub.Forbidden, Refusal)
}

func (d *door) report(t *talk, err error) {
	name, cleanErr := account.Clean(t.typed)
	if cleanErr != nil {
		name = ""
	}
	d.Report(name, t.remoteHost, err)
}

// windUp gives PAM a moment to end: it may be writing a new password.
func (d *door) windUp() {
	if d.talk == nil {
		return
	}
	select {
	case <-d.talk.over:
	case <-time.After(winding):
	}
}
