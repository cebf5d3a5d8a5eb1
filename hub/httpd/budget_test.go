package httpd

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// The budget lets a crowd in at once and a steady stream through; what is over it is counted, and told once a second.
func TestTheBudgetOfLines(t *testing.T) {
	var b budget
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	written, told := 0, 0
	for range linesAtOnce + 500 {
		ok, leftOut := b.spend(now)
		if ok {
			written++
		}
		told += leftOut
	}
	if written != linesAtOnce || told != 0 {
		t.Errorf("at once %d lines are written, and %d told to be missing", written, told)
	}
	lines := 0
	for range 10 * linesASecond { // ten seconds of twice as much as is allowed
		now = now.Add(time.Second / (2 * linesASecond))
		now = now.Add(time.Second / (2 * linesASecond))
		for range 2 {
			ok, leftOut := b.spend(now)
			if ok {
				written++
			}
			if leftOut > 0 {
				lines++
			}
			told += leftOut
		}
	}
	if over := written - linesAtOnce - 10*linesASecond; over < -1 || over > 1 {
		t.Errorf("then %d lines more than a steady stream", over)
	}
	if lines < 9 || lines > 11 || told+b.leftOut != 500+10*linesASecond+(linesAtOnce+10*linesASecond-written) {
		t.Errorf("%d lines tell of %d that are missing, and %d wait", lines, told, b.leftOut)
	}
}

// Vulnerability: somebody floods the log, and entries of the audit log are dropped with the lines, or pushed out by them.
// Attack: ten thousand requests of a stranger's, and a change by an admin among each thousand.
// Verified: lines have an end, a line tells how many are missing, and every change is told.
func TestAFloodOfRequestsHidesNoDeed(t *testing.T) {
	var log bytes.Buffer
	deeds, now := 0, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	h := &Hall{log: zerolog.New(&log), deeds: func(Deed) { deeds++ }, now: func() time.Time { return now }, seconds: durations(), logins: newLogins()}
	send := func(v *visit, method string) {
		h.account(v, httptest.NewRequestWithContext(t.Context(), method, "/hub/api/users/bob", http.NoBody), time.Millisecond)
	}
	for i := range 10_000 {
		send(&visit{id: "1", status: http.StatusForbidden}, "GET")
		if i%1000 == 0 {
			v := &visit{id: "2", status: http.StatusOK, who: "user admin", row: new(row)}
			v.request = httptest.NewRequestWithContext(t.Context(), "DELETE", "/hub/api/users/bob", http.NoBody)
			send(v, "DELETE")
		}
	}
	now = now.Add(5 * time.Second)
	send(&visit{id: "3", status: http.StatusForbidden}, "GET")
	if deeds != 10 {
		t.Errorf("%d of 10 changes are told", deeds)
	}
	if lines := strings.Count(log.String(), `"message":"request"`); lines != linesAtOnce+1 {
		t.Errorf("%d lines", lines)
	}
	if !strings.Contains(log.String(), `"count":6010,"message":"there were more requests than the log takes in"`) {
		t.Errorf("nothing tells that lines are missing: %s", log.String()[log.Len()-300:])
	}
}
