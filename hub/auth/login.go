package auth

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"jupyterhubd/hub"
)

// refusal is what everybody hears whose login is refused, whoever exists, is locked, or is not admitted.
const refusal = "Invalid username or password."

const (
	maxTypedName = 256  // bytes
	maxAnswer    = 4096 // bytes; passphrases and pasted codes are shorter
)

// Attempt is what a login form brings: a beginning (Username and what was typed with it), or the answers of a conversation
// that goes on.
type Attempt struct {
	Username string
	// Typed are answers that the form asked for beforehand, in the order of the questions: the password, and a one-time code
	// if there is a field for it. Those that no question comes for are not used.
	Typed []string

	Conversation string   // LoginStep.Conversation of the form; empty begins anew
	Answers      []string // one for each prompt
}

// LoginStep is where a login stands when it did not fail. With User set it is done, and the cookies are on their way.
type LoginStep struct {
	hub.Step
	Conversation string // goes back in the form's next Attempt
	Changing     bool   // the questions change an expired password
	User         *hub.User
}

// Login begins or carries on a login, and sets cookies. The row must have NoXSRF: Login checks it. Errors are Forbidden (one
// sentence for everybody), TooMany with RetryAfter, Unavailable, Invalid; each ends the conversation.
func (p *Porter) Login(w http.ResponseWriter, r *http.Request, a Attempt) (LoginStep, error) {
	if err := p.CheckXSRF(r, Page); err != nil {
		return LoginStep{}, err
	}
	if err := checkAnswers(a); err != nil {
		return LoginStep{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), talkLife)
	defer cancel()
	t, answers, err := p.resume(ctx, r, a)
	if err != nil {
		return LoginStep{}, err
	}
	v := visitOf(r)
	done, err := p.converse(ctx, t, v, answers)
	switch {
	case err != nil:
		return LoginStep{}, p.refused(ctx, t, err)
	case !done:
		return p.wait(w, v, t), nil
	}
	return p.welcome(ctx, w, r, t)
}

// checkAnswers refuses what no conversation asks for.
func checkAnswers(a Attempt) error {
	for _, answer := range append(a.Typed[:len(a.Typed):len(a.Typed)], a.Answers...) {
		if len(answer) > maxAnswer || strings.ContainsRune(answer, 0) {
			return hub.Errorf(hub.Invalid, "An answer has at most %d characters.", maxAnswer)
		}
	}
	return nil
}

// resume returns the conversation that the attempt is about, which from now on is ours to end, and the answers for it.
func (p *Porter) resume(ctx context.Context, r *http.Request, a Attempt) (*talk, []string, error) {
	if a.Conversation == "" {
		t, err := p.begin(ctx, visitOf(r), strings.TrimSpace(a.Username))
		return t, a.Typed, err
	}
	var t *talk
	for i, c := range r.CookiesNamed(cookieParlour) {
		if t = p.parlour.fetch(a.Conversation, c.Value); t != nil || i == maxPlanted {
			break
		}
	}
	if t == nil {
		return nil, nil, hub.Errorf(hub.Invalid, "This took too long. Please log in again.")
	}
	if len(a.Answers) != len(t.step.Prompts) {
		t.giveUp()
		return nil, nil, hub.Errorf(hub.Invalid, "Please answer every question.")
	}
	return t, a.Answers, nil
}

// begin passes the turnstile and opens a conversation.
func (p *Porter) begin(ctx context.Context, v *Visit, typed string) (*talk, error) {
	if typed == "" || len(typed) > maxTypedName || CleanName(typed) != typed {
		return nil, hub.Errorf(hub.Forbidden, refusal) // no account is called so
	}
	t := &talk{typed: typed, address: throttleAddress(v.Address), began: p.o.Now()}
	var err error
	if t.pass, err = p.turnstile.enter(ctx, t.address, strings.ToLower(typed)); err != nil {
		return nil, err
	}
	if err := p.open(ctx, t, v, false); err != nil {
		return nil, p.refused(ctx, t, err)
	}
	return t, nil
}

// open begins a conversation with one of the two doors in place of the one that the talk had.
func (p *Porter) open(ctx context.Context, t *talk, v *Visit, changing bool) (err error) {
	t.close()
	with := p.o.Authenticator
	if t.changing = changing; changing {
		with = p.o.Changer
	}
	var step hub.Step
	t.conversation, step, err = with.Begin(ctx, t.typed, addressOf(v.Address))
	t.move(step)
	return p.orChange(ctx, t, v, err)
}

// orChange goes on at the other door when the password was right but must be changed.
func (p *Porter) orChange(ctx context.Context, t *talk, v *Visit, err error) error {
	switch {
	case hub.KindOf(err) != hub.Expired || t.changing:
		return err
	case p.o.Changer == nil:
		return hub.Errorf(hub.Expired, "Your password has expired and cannot be changed here. Please change it on the machine itself or ask its administrator.")
	}
	return p.open(ctx, t, v, true)
}

// converse gives the answers that there are. done is false when the next question has none. A changed password is at once
// used to log in with, because only the first door asks whether the account may.
func (p *Porter) converse(ctx context.Context, t *talk, v *Visit, answers []string) (done bool, err error) {
	for ; t.steps < maxSteps; t.steps++ {
		prompts := len(t.step.Prompts)
		switch {
		case t.step.Account != nil && !t.changing:
			return true, nil
		case t.step.Account != nil:
			err = p.open(ctx, t, v, false)
			answers = t.known()
		case prompts > len(answers):
			return false, nil
		default:
			given, changing := answers[:prompts], t.changing
			answers = answers[prompts:]
			err = p.answer(ctx, t, v, given)
			if t.changing != changing {
				answers = t.known() // the rest of what was typed for one door is not for the other
			}
		}
		if err != nil {
			return false, err
		}
	}
	return false, hub.Errorf(hub.Unavailable, "The login asks too many questions.")
}

func (p *Porter) answer(ctx context.Context, t *talk, v *Visit, given []string) error {
	for i, prompt := range t.step.Prompts {
		if !prompt.Echo {
			t.hidden = append(t.hidden, given[i])
		}
	}
	step, err := t.conversation.Answer(ctx, given)
	t.move(step)
	return p.orChange(ctx, t, v, err)
}

// wait seats a conversation until its answer comes.
func (p *Porter) wait(w http.ResponseWriter, v *Visit, t *talk) LoginStep {
	t.pass.park()
	out := LoginStep{Step: t.show(), Changing: t.changing}
	id, secret := p.parlour.seat(t, talkLife-p.o.Now().Sub(t.began))
	out.Conversation = id
	http.SetCookie(w, &http.Cookie{Name: cookieParlour, Value: secret, Path: p.hubURL + "login", HttpOnly: true, Secure: p.secure(v),
		SameSite: http.SameSiteStrictMode, MaxAge: int(talkLife.Seconds())})
	return out
}

// refused ends a conversation that failed, counts it if that is the visitor's doing, and finds the words for it.
func (p *Porter) refused(ctx context.Context, t *talk, err error) error {
	t.close()
	kind := hub.KindOf(err)
	guessed := kind == hub.Forbidden || kind == hub.NotFound || kind == hub.Invalid && !t.changing
	if guessed || ctx.Err() != nil {
		_ = t.pass.lost() // counted in memory even when the disk is full, ignoring
	} else {
		t.pass.spoiled()
	}
	switch {
	case kind == hub.Unavailable:
		return &hub.Error{Kind: kind, Text: "Logging in is not possible just now. Please try again in a moment.", Err: err}
	case t.changing && kind == hub.Invalid:
		return err // why the new password would not do
	case t.changing && kind == hub.Forbidden:
		return &hub.Error{Kind: hub.Forbidden, Text: "The password was not changed. Please log in and try again.", Err: err}
	case kind == hub.Forbidden, kind == hub.NotFound, kind == hub.Invalid:
		return &hub.Error{Kind: hub.Forbidden, Text: refusal, Err: err}
	}
	return err
}

// CleanName makes a typed name fit for a log: at most 256 bytes, control and unprintable characters replaced.
func CleanName(typed string) string {
	if len(typed) > maxTypedName {
		typed = typed[:maxTypedName]
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return utf8.RuneError
		}
		return c
	}, strings.ToValidUTF8(typed, "\uFFFD"))
}
