package conv

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/msteinert/pam/v2"

	"jupyterhubd/hub"
)

// Limits of one conversation. Modules are root's own, but what they say may come from a directory server or a user's file.
const (
	maxText      = 1024 // bytes of a prompt or message
	maxMessages  = 32   // between two questions; the latest are kept
	maxQuestions = 32
	maxAnswer    = 511 // PAM_MAX_RESP_SIZE is 512, with the final NUL
)

// questions is PAM's conversation callback: it gathers messages until a module asks something.
type questions struct {
	ask      Ask
	messages []string // not shown yet
	asked    int
	failed   error // the first error of ask: everything after it fails as well

	hidden []string // answers to hidden prompts while authenticating
	again  string   // the one of them to give once more, see repeat
}

// RespondPAM is called by the library for each message of a module, in the conversation's own thread.
func (q *questions) RespondPAM(style pam.Style, text string) (string, error) {
	text = clean(text)
	switch style {
	case pam.TextInfo, pam.ErrorMsg:
		q.show(text)
		return "", nil
	case pam.PromptEchoOff, pam.PromptEchoOn:
		answer, err := q.question(hub.Prompt{Text: text, Echo: style == pam.PromptEchoOn})
		if err != nil && q.failed == nil {
			q.failed = err
		}
		return answer, err
	}
	return "", fmt.Errorf("conversation style %d is none that a person could answer", style)
}

func (q *questions) show(text string) {
	if text == "" {
		return
	}
	if len(q.messages) == maxMessages {
		q.messages = q.messages[1:]
	}
	q.messages = append(q.messages, text)
}

func (q *questions) question(prompt hub.Prompt) (string, error) {
	if q.failed != nil {
		return "", q.failed
	}
	if again := q.again; again != "" {
		q.again = ""
		if !prompt.Echo && strings.Contains(strings.ToLower(prompt.Text), "current") {
			return again, nil
		}
	}
	if q.asked++; q.asked > maxQuestions {
		return "", &hub.Error{Kind: hub.Unavailable, Err: errors.New("the PAM service asks without end")}
	}
	messages := q.messages
	q.messages = nil
	answer, err := q.ask(messages, prompt)
	if err != nil {
		return "", err
	}
	if len(answer) > maxAnswer || strings.ContainsRune(answer, 0) { // C would see the part before the NUL alone
		return "", &hub.Error{Kind: hub.Forbidden, Err: errors.New("an answer that no PAM module could read")}
	}
	if !prompt.Echo {
		q.hidden = append(q.hidden, answer)
	}
	return answer, nil
}

// repeat lets the next question, if it is for the current password, be answered with the one that has just been accepted.
// Where several hidden answers were given, it is not known which of them that was.
func (q *questions) repeat() {
	if len(q.hidden) == 1 {
		q.again = q.hidden[0]
	}
}

// clean makes a module's text fit for a page and a terminal: one line, valid, bounded.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > maxText {
		cut := maxText
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	return strings.TrimSpace(text)
}
