package authtest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"jupyterhubd/hub"
)

// Conversation is a login under way. It is an alias, so that who implements it need import nothing.
type Conversation = interface {
	Answer(ctx context.Context, answers []string) (hub.Step, error)
	Close() error
}

// Authenticator is the seam, as the porter declares it.
type Authenticator interface {
	Begin(ctx context.Context, user, remoteHost string) (Conversation, hub.Step, error)
}

// Cast is whom the authenticator under test knows.
type Cast struct {
	Good    Person
	Others  []string          // further names under which Good may log in
	Refused map[string]Person // what is wrong with them, to who they are: with their right answers they do not come in either
}

// Person is a name and what they answer, in the order of the questions.
type Person struct {
	Name    string
	Answers []string
}

// remote is where everybody comes from, an address for documentation (RFC 5737).
const remote = "192.0.2.7"

// Run checks the rules. The authenticator is asked by several goroutines at once.
func Run(t *testing.T, a Authenticator, cast Cast) {
	t.Helper()
	s := suite{a, cast}
	t.Run("a good conversation ends with an account", s.good)
	t.Run("every name of an account ends as one", s.names)
	t.Run("refusals are all alike", s.refusals)
	t.Run("one answer a question", s.count)
	t.Run("a conversation that ended is over", s.over)
	t.Run("a conversation may be left", s.leave)
	t.Run("a context ends a step", s.context)
	t.Run("conversations are apart", s.apart)
}

type suite struct {
	Authenticator
	cast Cast
}

// login answers every question in turn. The error is that of the step that failed.
func (s suite) login(t *testing.T, p Person) (hub.Step, error) {
	t.Helper()
	c, step, err := s.Begin(t.Context(), p.Name, remote)
	if err != nil {
		if c != nil {
			t.Error("Begin returned both a conversation and an error")
		}
		return step, err
	}
	defer c.Close()
	for i := 0; step.Account == nil; {
		if len(step.Prompts) == 0 || i > 100 {
			t.Error("no end: a step with neither a question nor an account, or a hundred questions")
			return step, nil
		}
		answers := make([]string, len(step.Prompts))
		for j := range answers {
			if i < len(p.Answers) {
				answers[j] = p.Answers[i]
			}
			i++
		}
		if step, err = c.Answer(t.Context(), answers); err != nil {
			return step, err
		}
	}
	if len(step.Prompts) > 0 {
		t.Error("a last step that asks")
	}
	return step, nil
}

func (s suite) good(t *testing.T) {
	step, err := s.login(t, s.cast.Good)
	if err != nil {
		t.Fatal(err)
	}
	if a := step.Account; a.Name == "" || a.UID <= 0 {
		t.Errorf("ended with %+v", a)
	}
}

func (s suite) names(t *testing.T) {
	want, err := s.login(t, s.cast.Good)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range s.cast.Others {
		step, err := s.login(t, Person{name, s.cast.Good.Answers})
		if err != nil {
			t.Errorf("%q: %v", name, err)
		} else if step.Account.Name != want.Account.Name || step.Account.UID != want.Account.UID {
			t.Errorf("%q is %+v, not %+v", name, step.Account, want.Account)
		}
	}
}

func (s suite) refusals(t *testing.T) {
	wrong := Person{s.cast.Good.Name, []string{"surely not the right answer"}}
	_, want := s.login(t, wrong)
	if hub.KindOf(want) != hub.Forbidden || hub.TextOf(want) == "" {
		t.Fatalf("a wrong answer: %v", want)
	}
	all := map[string]Person{"unknown": {Name: "nobody-knows"}, "empty": {}, "root": {Name: "root", Answers: []string{"root"}},
		"an option": {Name: "-i"}, "a uid": {Name: "0"}, "two lines": {Name: "a\nb"}, "endless": {Name: strings.Repeat("a", 100000)}}
	for what, p := range s.cast.Refused {
		all[what] = p
	}
	var tries sync.WaitGroup
	defer tries.Wait()
	for what, p := range all {
		tries.Go(func() { // at once, because a refusal takes its time
			_, err := s.login(t, p)
			if hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != hub.TextOf(want) {
				t.Errorf("%s: %v; a wrong answer: %v", what, err, want)
			}
		})
	}
}

func (s suite) count(t *testing.T) {
	for _, surplus := range []int{-1, 1} {
		c, step, err := s.Begin(t.Context(), s.cast.Good.Name, remote)
		if err != nil {
			t.Fatal(err)
		}
		answers := append(append([]string{}, s.cast.Good.Answers...), make([]string, len(step.Prompts)+1)...)
		if step, err := c.Answer(t.Context(), answers[:len(step.Prompts)+surplus]); err == nil || step.Account != nil {
			t.Errorf("%+d answers: %+v, %v", surplus, step, err)
		}
		c.Close()
	}
}

func (s suite) over(t *testing.T) {
	c, step, err := s.Begin(t.Context(), s.cast.Good.Name, remote)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wrong := make([]string, len(step.Prompts))
	for range 100 { // until a refusal: a later question may be asked first
		if _, err = c.Answer(t.Context(), wrong); err != nil {
			break
		}
	}
	if step, err := c.Answer(t.Context(), s.cast.Good.Answers[:1]); err == nil || step.Account != nil {
		t.Errorf("a right answer after the refusal: %+v, %v", step, err)
	}
}

func (s suite) leave(t *testing.T) {
	c, _, err := s.Begin(t.Context(), s.cast.Good.Name, remote)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if step, err := c.Answer(t.Context(), s.cast.Good.Answers[:1]); err == nil {
		t.Errorf("an answer after leaving: %+v", step)
	}
}

func (s suite) context(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, step, err := s.Begin(ctx, s.cast.Good.Name, remote); err == nil {
		c.Close()
		t.Errorf("began with %+v", step)
	}
}

func (s suite) apart(t *testing.T) {
	var all sync.WaitGroup
	defer all.Wait()
	for i := range 8 {
		p, want := s.cast.Good, hub.Unknown
		if i%2 == 1 {
			p.Answers, want = []string{"surely not the right answer"}, hub.Forbidden
		}
		all.Go(func() {
			if _, err := s.login(t, p); hub.KindOf(err) != want || (err == nil) != (want == hub.Unknown) {
				t.Errorf("answers %q: %v", p.Answers, err)
			}
		})
	}
}
