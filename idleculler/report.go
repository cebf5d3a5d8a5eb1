package idleculler

import "fmt"

// Report is what a pass saw and did.
type Report struct {
	Users    int     // listed
	Servers  int     // of theirs
	Stopped  int     // servers that have stopped
	Stopping int     // servers told to stop that are still at it
	Pending  int     // servers left alone because something was under way
	Removed  int     // users
	Errors   []error // one for each user or server with which it went wrong
}

// String returns the report as one line.
func (r Report) String() string {
	s := fmt.Sprintf("looked at %s of %s: stopped %d", many(r.Servers, "server"), many(r.Users, "user"), r.Stopped)
	if r.Stopping > 0 {
		s += fmt.Sprintf(", %d still stopping", r.Stopping)
	}
	if r.Pending > 0 {
		s += fmt.Sprintf(", left %d alone in which something was under way", r.Pending)
	}
	if r.Removed > 0 {
		s += fmt.Sprintf(", removed %s", many(r.Removed, "user"))
	}
	if len(r.Errors) > 0 {
		s += ", " + many(len(r.Errors), "error")
	}
	return s
}

func (r *Report) fail(format string, args ...any) {
	r.Errors = append(r.Errors, fmt.Errorf(format, args...))
}

func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
