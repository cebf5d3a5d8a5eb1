package system

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub/auth/pam"
)

// Vulnerability: a hub that was taken over, at the doors to logins and to expired passwords.
// Attack: accounts of the system, every verb out of turn, answers without a question, wrong passwords, crafted and random
// messages, floods; at both doors.
// Verified: nobody is let in without a password, no system account is described, no password changes, both doors stay open.
func TestATakenOverHubAtTheLoginDoors(t *testing.T) {
	s := onStage(t)
	shadow := s.run("sha256sum", "/etc/shadow")
	for _, door := range []string{pam.LoginDoor, pam.PasswdDoor} {
		var talks sync.WaitGroup
		for seed, talk := range append(outOfTurn(), randomTalks(24)...) {
			talks.Go(func() { s.talks(door, seed, talk) })
		}
		talks.Wait()
	}
	if now := s.run("sha256sum", "/etc/shadow"); now != shadow {
		t.Error("a password was changed")
	}
	if step, err := s.converse("alice", s.Password("alice")); err != nil || step.Account == nil {
		t.Errorf("the next login: %+v, %v", step, err)
	}
	for _, unit := range []string{"jupyterhub-pam.socket", "jupyterhub-passwd.socket"} {
		if state := s.property(unit, "ActiveState"); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
	}
}

// talks says one thing after the other and judges what comes back.
func (s *stage) talks(door string, seed int, talk []string) {
	c := s.dialAs("jupyterhub", door)
	defer c.Close()
	for _, message := range talk {
		answer := says(c, message)
		for _, system := range []string{`"uid":0,`, `"name":"root"`, `"name":"daemon"`, `"name":"jupyterhub"`} {
			if strings.Contains(answer, system) {
				s.t.Errorf("%s, talk %d: %.200q describes a system account: %s", door, seed, message, answer)
			}
		}
		// Account describes who may log in; whoever was let in comes in a step.
		if strings.Contains(answer, `"step":{`) && strings.Contains(answer, `"account":{`) {
			s.t.Errorf("%s, talk %d: %.200q is let in: %s", door, seed, message, answer)
		}
	}
}

// says sends a message and returns the answer, if any comes.
func says(c net.Conn, message string) string {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // what is no message may have no answer
	if _, err := c.Write([]byte(message + "\x00")); err != nil {
		return ""
	}
	var answer []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		answer = append(answer, buffer[:n]...)
		if err != nil || len(answer) > 0 && answer[len(answer)-1] == 0 {
			return string(answer)
		}
	}
}

func authenticates(verb string, parameters any) string {
	b, _ := json.Marshal(map[string]any{"method": "org.jupyterhub.Authenticator." + verb, "parameters": parameters})
	return string(b)
}

func begin(user string) string {
	return authenticates("Begin", map[string]string{"user": user, "remote_host": "192.0.2.9", "tty": "jupyterhub"})
}

func answer(answers ...string) string {
	return authenticates("Answer", map[string]any{"answers": answers})
}

// outOfTurn are conversations that no hub of ours would hold.
func outOfTurn() [][]string {
	talks := [][]string{
		{answer("wrong")},
		{answer()},
		{begin("alice"), begin("alice"), answer("wrong")},
		{begin("alice"), answer("wrong"), answer("wrong"), answer("wrong")},
		{begin("alice"), answer("a", "b", "c")},
		{begin("alice"), answer("wrong\x00alice")},
		{begin("bob"), answer(""), answer("new secret 99"), answer("new secret 99")},
		{authenticates("Begin", map[string]any{"user": "alice", "uid": 0, "remote_host": "", "tty": ""})},
		{authenticates("Begin", map[string]any{"user": "alice", "remote_host": "x\ny", "tty": "../../dev/tty1"}), answer("wrong")},
		{authenticates("Change", map[string]string{"user": "alice", "password": "x"})},
		{authenticates("Answer", map[string]any{"account": map[string]any{"name": "alice", "uid": 1000}})},
		{strings.Repeat("a", 3<<20)}, {strings.Repeat("[", 2<<20)}, {`{"method":"` + strings.Repeat("x", 2<<20)},
	}
	for _, name := range []string{"root", "daemon", "nobody", "jupyterhub", "jupyterhub-proxy", "0", "-1", "", "..", "alice\x00root", "%i", strings.Repeat("a", 5000)} {
		talks = append(talks, []string{begin(name), answer("root has a password here")},
			[]string{authenticates("Account", map[string]string{"name": name})})
	}
	return talks
}

// randomTalks are as many conversations of real messages to which something happened, the same at every run.
func randomTalks(n int) (talks [][]string) {
	r := rand.New(rand.NewPCG(11, 12))
	for range n {
		var talk []string
		for range 1 + r.IntN(4) {
			b := []byte([]string{begin("alice"), begin("root"), answer("wrong"), answer(fmt.Sprint(r.IntN(1000))),
				authenticates("Account", map[string]string{"name": "root"})}[r.IntN(5)])
			for range r.IntN(4) {
				b[r.IntN(len(b))] = byte(r.Uint32())
			}
			talk = append(talk, string(b))
		}
		talks = append(talks, talk)
	}
	return talks
}
