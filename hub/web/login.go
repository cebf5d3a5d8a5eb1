package web

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

type loginPage struct {
	Layout
	Action   string // where the form posts to, with next=
	Username string
	Error    string
}

// questionPage asks what PAM asks beyond the password, or for a new password.
type questionPage struct {
	Layout
	Action       string
	Conversation string
	Messages     []string
	Questions    []question
}

type question struct {
	ID           string
	Label        string
	Hidden       bool
	Autocomplete string
}

// noticePage shows what PAM had to say to somebody who is logged in.
type noticePage struct {
	Layout
	Messages []string
	Next     string
}

// insecurePage stands in place of the login form where a password could be read on its way.
type insecurePage struct {
	Layout
	Host string
}

// showLogin answers GET /hub/login.
func (room *Room) showLogin(w http.ResponseWriter, r *http.Request) error {
	if a := auth.FromContext(r.Context()); a.User != nil && a.Session != nil {
		return redirect(w, http.StatusFound, room.Porter.Next(r, room.landing(a.User.Name)))
	}
	if room.overheard(r) {
		return room.showInsecure(w, r)
	}
	return room.showForm(w, r, http.StatusOK, loginPage{})
}

// login answers POST /hub/login: the form, or an answer within a conversation.
func (room *Room) login(w http.ResponseWriter, r *http.Request) error {
	if room.overheard(r) {
		return room.showInsecure(w, r)
	}
	if err := r.ParseForm(); err != nil {
		return hub.Errorf(hub.Invalid, "The form cannot be read: %w", err)
	}
	typed := strings.TrimSpace(r.PostForm.Get("username"))
	if room.Porter.CheckXSRF(r, auth.Page) != nil {
		return room.showForm(w, r, http.StatusForbidden, loginPage{Username: typed, Error: "This page had become too old. Please try again."})
	}
	attempt := auth.Attempt{Username: typed, Conversation: r.PostForm.Get("conversation"), Answers: r.PostForm["answer"]}
	for _, field := range []string{"password", "otp"} {
		if r.PostForm.Has(field) {
			attempt.Typed = append(attempt.Typed, r.PostForm.Get(field))
		}
	}
	step, err := room.Porter.Login(w, r, attempt)
	if err != nil {
		return room.showRefused(w, r, typed, err)
	}
	if step.User == nil {
		return room.showQuestions(w, r, step)
	}
	next := room.Porter.Next(r, room.landing(step.User.Name))
	if len(step.Messages) > 0 {
		return room.show(w, http.StatusOK, "notice", noticePage{Layout: room.bare(r, "You are logged in"), Messages: step.Messages, Next: next})
	}
	return redirect(w, http.StatusFound, next)
}

// landing is where a login leads without a next=: the server if it runs or RedirectToServer, else the home page.
func (room *Room) landing(user string) string {
	ref := hub.ServerRef{User: user}
	live, err := room.Workshop.Server(ref)
	switch {
	case room.DefaultURL != "":
		return room.DefaultURL
	case err == nil && live.State.Active():
		return live.URL
	case room.RedirectToServer:
		return room.hub + "spawn"
	}
	return room.hub + "home"
}

// overheard reports whether what is typed would cross a network in the clear, and the admin does not want that.
func (room *Room) overheard(r *http.Request) bool { return !room.InsecureHTTP && auth.Overheard(r) }

func (room *Room) showInsecure(w http.ResponseWriter, r *http.Request) error {
	return room.show(w, http.StatusForbidden, "insecure", insecurePage{room.bare(r, "Logging in needs HTTPS"), auth.VisitOf(r).Host})
}

// showForm shows the login form with a fresh XSRF token.
func (room *Room) showForm(w http.ResponseWriter, r *http.Request, status int, p loginPage) error {
	p.Layout = room.bare(r, "Sign in")
	p.Scripts = append(p.Scripts, "login.js")
	p.Said = room.said("login")
	p.XSRF = room.Porter.XSRF(w, r, true)
	p.Action = withNext(room.hub+"login", r.URL.Query().Get("next"))
	return room.show(w, status, "login", p)
}

// refusals are the statuses of a login that was refused. What is not in it is ours, and the hall's to tell.
var refusals = map[hub.Kind]int{
	hub.Forbidden:   http.StatusForbidden,
	hub.Expired:     http.StatusForbidden,
	hub.Invalid:     http.StatusBadRequest,
	hub.TooMany:     http.StatusTooManyRequests,
	hub.Unavailable: http.StatusServiceUnavailable,
}

func (room *Room) showRefused(w http.ResponseWriter, r *http.Request, typed string, err error) error {
	status, ok := refusals[hub.KindOf(err)]
	text := hub.TextOf(err)
	if !ok || text == "" {
		return err
	}
	var e *hub.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	return room.showForm(w, r, status, loginPage{Username: typed, Error: text})
}

func (room *Room) showQuestions(w http.ResponseWriter, r *http.Request, step auth.LoginStep) error {
	p := questionPage{Layout: room.bare(r, "One more question"), Conversation: step.Conversation, Messages: step.Messages}
	if step.Changing {
		p.Title = "Choose a new password"
	}
	p.XSRF = room.Porter.XSRF(w, r, false)
	p.Action = withNext(room.hub+"login", r.URL.Query().Get("next"))
	for i, prompt := range step.Prompts {
		p.Questions = append(p.Questions, question{ID: "answer-" + strconv.Itoa(i+1), Label: label(prompt.Text), Hidden: !prompt.Echo,
			Autocomplete: autocomplete(step.Changing, prompt.Text)})
	}
	return room.show(w, http.StatusOK, "question", p)
}

// autocomplete tells a password manager what to offer.
func autocomplete(changing bool, prompt string) string {
	switch {
	case !changing:
		return "one-time-code"
	case strings.Contains(strings.ToLower(prompt), "new"):
		return "new-password"
	}
	return "current-password"
}

// label makes a prompt of PAM's a label: "Verification code: " is "Verification code".
func label(prompt string) string {
	text := strings.TrimRight(strings.TrimSpace(prompt), ":")
	if text == "" {
		return "Answer"
	}
	return text
}
