package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"time"

	"jupyterhubd/hub"
)

const (
	// maxTalks bounds the login conversations that wait for a person; each holds a process behind the door.
	maxTalks = 128
	// talkLife is how long a conversation may last, thinking included; the door's own limit is the same.
	talkLife = 2 * time.Minute
	// maxSteps bounds the questions of one conversation.
	maxSteps = 16
)

// talk is one login conversation. Whoever has it out of the parlour owns it.
type talk struct {
	conversation Conversation
	pass         *pass
	typed        string // the account's name as it was typed
	address      string // where the browser is, as throttles know it
	began        time.Time
	hidden       []string // answers to hidden questions; those of earlier requests are forgotten and stand empty
	changing     bool     // an expired password is being changed
	step         hub.Step
	steps        int
	browser      [sha256.Size]byte // hash of the cookie that the browser must show
	ends         *time.Timer
}

// parlour is where conversations wait for the next answer, in memory: a restart of the hub ends them, and people begin anew.
type parlour struct {
	mu    sync.Mutex // guards talks and order
	talks map[string]*talk
	order []string // ids, oldest first
}

func newParlour() *parlour { return &parlour{talks: make(map[string]*talk)} }

// seat keeps a conversation until its answer comes or its time is over. It returns the id for the form and the secret for
// the browser's cookie; both must come back, so that nobody can answer in another browser's conversation.
func (p *parlour) seat(t *talk, left time.Duration) (id, secret string) {
	id, secret = rand.Text(), rand.Text()
	t.browser = sha256.Sum256([]byte(secret))
	p.add(id, t, left).giveUp()
	return id, secret
}

// add seats a conversation, and returns the one that has to go for it, if one has.
func (p *parlour) add(id string, t *talk, left time.Duration) (out *talk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.order) >= maxTalks {
		out = p.remove(p.crowd())
	}
	p.talks[id], p.order = t, append(p.order, id)
	t.ends = time.AfterFunc(left, func() { p.take(id, t.browser).giveUp() })
	return out
}

// crowd returns the oldest conversation of the address that has most.
func (p *parlour) crowd() (id string) {
	count := make(map[string]int)
	for _, t := range p.talks {
		count[t.address]++
	}
	for _, other := range p.order {
		if id == "" || count[p.talks[other].address] > count[p.talks[id].address] {
			id = other
		}
	}
	return id
}

// fetch takes a conversation out for its next answer. One that is not there, or another browser's, is nil.
func (p *parlour) fetch(id, secret string) *talk {
	return p.take(id, sha256.Sum256([]byte(secret)))
}

func (p *parlour) take(id string, browser [sha256.Size]byte) *talk {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.talks[id]
	if t == nil || subtle.ConstantTimeCompare(browser[:], t.browser[:]) != 1 {
		return nil
	}
	return p.remove(id)
}

func (p *parlour) remove(id string) *talk {
	t := p.talks[id]
	delete(p.talks, id)
	p.order = slices.DeleteFunc(p.order, func(o string) bool { return o == id })
	t.ends.Stop()
	return t
}

// giveUp ends a conversation that came to nothing; it counts as a failure. A nil talk has ended already.
func (t *talk) giveUp() {
	if t == nil {
		return
	}
	t.close()
	_ = t.pass.lost() // counted in memory even when the disk is full, ignoring
}

// move goes to the door's next step. Messages of a step that was answered without being shown are shown with this one.
func (t *talk) move(next hub.Step) {
	next.Messages = append(t.step.Messages[:len(t.step.Messages):len(t.step.Messages)], next.Messages...)
	t.step = next
}

// known returns the answers for the first questions of a door that the talk has just come to. The one hidden answer that
// the login door found right is the current password, and nobody likes to type that twice; of several it is not known which
// one is. After a change the new password is the last that was typed.
func (t *talk) known() []string {
	last := len(t.hidden) - 1
	asks := len(t.step.Prompts) == 1 && !t.step.Prompts[0].Echo
	if !asks || last < 0 || t.hidden[last] == "" || t.changing && last > 0 {
		return nil
	}
	return t.hidden[last:]
}

// show returns the step for a page. Until the answer comes no secret stays in memory.
func (t *talk) show() hub.Step {
	clear(t.hidden)
	shown := t.step
	t.step.Messages = nil
	return shown
}

// close ends the conversation with the door, if there is one.
func (t *talk) close() {
	if t.conversation != nil {
		_ = t.conversation.Close() // it is over either way, ignoring
		t.conversation = nil
	}
}
