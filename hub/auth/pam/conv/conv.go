package conv

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/msteinert/pam/v2"

	"jupyterhubd/hub"
)

// Request says who wants in and from where.
type Request struct {
	Service    string   // the file in /etc/pam.d
	User       string   // PAM_USER, as it was typed: a second name of one uid may have a password of its own
	RemoteHost string   // PAM_RHOST; empty leaves it unset
	TTY        string   // PAM_TTY; empty leaves it unset
	Dir        string   // where service files are, for tests; empty means the system's places
	Variables  []string // names of the variables of PAM's environment that Result has
}

// Ask shows messages and puts one question. Its error ends the conversation and comes back from Authenticate or Change.
type Ask func(messages []string, prompt hub.Prompt) (answer string, err error)

// Result is the good end of a conversation.
type Result struct {
	User     string   // PAM_USER at the end: a module may have changed it
	Messages []string // shown after the last question
	// Variables are those of pam_getenvlist that the request names and a module has set.
	Variables map[string]string
}

// Authenticate asks until PAM knows that the user is who they say (pam_authenticate) and may use their account at this
// moment (pam_acct_mgmt). Empty passwords are refused whatever the service file says.
//
// Errors: Expired when the password is right and has to be changed first; Unavailable when the service file or a module
// does not work; Forbidden for everything else. Their inner error is for the log: whoever is refused must not hear it.
func Authenticate(r Request, ask Ask) (Result, error) {
	return converse(r, ask, func(t *talk) error {
		if err := t.authenticate(); err != nil {
			return err
		}
		return t.account()
	})
}

// Change authenticates and, if the password has expired, changes it (pam_chauthtok). A password that has not expired stays
// as it is, and that is a good end too. Errors are as for Authenticate; Invalid, with a text for people, when PAM does not
// take the new password.
func Change(r Request, ask Ask) (Result, error) {
	return converse(r, ask, func(t *talk) error {
		if err := t.authenticate(); err != nil {
			return err
		}
		err := t.account()
		if hub.KindOf(err) != hub.Expired {
			return err
		}
		if err := t.change(); err != nil {
			return err
		}
		return t.account()
	})
}

// Standing asks the account phase alone (pam_acct_mgmt), with no question to anybody: whether the account may be used at this
// moment. A password that has to be changed is no reason against it, since nobody is about to log in.
//
// Errors: NotFound when no module knows the user; Forbidden when the account has expired, or is not admitted; Unavailable when a module
// does not work.
func Standing(r Request) error {
	nobody := func([]string, hub.Prompt) (string, error) {
		return "", &hub.Error{Kind: hub.Unavailable, Err: errors.New("a module of the account phase asks questions")}
	}
	_, err := converse(r, nobody, func(t *talk) error {
		err := t.pam.AcctMgmt(0)
		if errors.Is(err, pam.ErrUserUnknown) {
			return &hub.Error{Kind: hub.NotFound, Err: fmt.Errorf("pam_acct_mgmt: %w", err)}
		}
		return t.verdict("pam_acct_mgmt", err)
	})
	if hub.KindOf(err) == hub.Expired {
		return nil
	}
	return err
}

// talk is a conversation under way.
type talk struct {
	pam *pam.Transaction
	questions
}

func converse(r Request, ask Ask, steps func(*talk) error) (_ Result, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := &talk{questions: questions{ask: ask}}
	if t.pam, err = start(r, &t.questions); err != nil {
		return Result{}, broken("pam_start", err)
	}
	defer t.pam.End()
	if err := t.introduce(r); err != nil {
		return Result{}, err
	}
	if err := steps(t); err != nil {
		return Result{}, err
	}
	user, err := t.pam.GetItem(pam.User)
	if err != nil {
		return Result{}, broken("read PAM_USER", err)
	}
	variables, err := t.variables(r.Variables)
	return Result{User: user, Messages: t.messages, Variables: variables}, err
}

// maxVariable bounds a variable's value, in bytes: a module may have it from a directory server.
const maxVariable = 4096

// variables takes some of PAM's environment. What is long, or no text, is left out: a login does not fail over it.
func (t *talk) variables(names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	all, err := t.pam.GetEnvList()
	if err != nil {
		return nil, broken("pam_getenvlist", err)
	}
	taken := map[string]string{}
	for _, name := range names {
		if value, set := all[name]; set && len(value) <= maxVariable && utf8.ValidString(value) {
			taken[name] = value
		}
	}
	return taken, nil
}

func start(r Request, q *questions) (*pam.Transaction, error) {
	if r.Dir != "" {
		return pam.StartConfDir(r.Service, r.User, q, r.Dir)
	}
	return pam.Start(r.Service, r.User, q)
}

// introduce tells the modules where the user comes from and takes PAM's random delay after a failure away: the door has its
// own, which is the same for everybody.
func (t *talk) introduce(r Request) error {
	for item, value := range map[pam.Item]string{pam.Rhost: r.RemoteHost, pam.Tty: r.TTY} {
		if value == "" {
			continue
		}
		if err := t.pam.SetItem(item, value); err != nil {
			return broken("set PAM_RHOST and PAM_TTY", err)
		}
	}
	return withoutDelay(t.pam)
}

func (t *talk) authenticate() error {
	return t.verdict("pam_authenticate", t.pam.Authenticate(pam.DisallowNullAuthtok))
}

func (t *talk) account() error {
	return t.verdict("pam_acct_mgmt", t.pam.AcctMgmt(pam.DisallowNullAuthtok))
}

// change lets PAM ask for the new password. PAM forgets the password between its phases and asks for the current one again;
// the one that was just found right is given instead.
func (t *talk) change() error {
	t.repeat()
	err := t.pam.ChangeAuthTok(pam.ChangeExpiredAuthtok)
	if err == nil || t.failed != nil {
		return t.verdict("pam_chauthtok", err)
	}
	text := "the password was not changed"
	if len(t.messages) > 0 {
		text += ": " + strings.Join(t.messages, "; ")
	}
	return &hub.Error{Kind: hub.Invalid, Text: text, Err: fmt.Errorf("pam_chauthtok: %w", err)}
}

// verdict turns what a PAM call returned into our errors.
func (t *talk) verdict(call string, err error) error {
	var status pam.Error
	switch {
	case err == nil:
		return nil
	case t.failed != nil:
		return t.failed // PAM_CONV_ERR is the echo of our own error
	case !errors.As(err, &status):
		return broken(call, err)
	}
	switch status {
	case pam.ErrNewAuthtokReqd: // PAM_AUTHTOK_EXPIRED is a password so old that nobody but root may change it
		return &hub.Error{Kind: hub.Expired, Err: fmt.Errorf("%s: %w", call, err)}
	case pam.ErrOpen, pam.ErrSymbol, pam.ErrModuleUnknown, pam.ErrBuf:
		return broken(call, err)
	}
	return &hub.Error{Kind: hub.Forbidden, Err: fmt.Errorf("%s: %w", call, err)}
}

// broken is an error of the machine's set-up, the same for every user.
func broken(call string, err error) error {
	return &hub.Error{Kind: hub.Unavailable, Err: fmt.Errorf("%s: %w", call, err)}
}
