package launcher

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// ending is all that is known of how a unit ended. Its first part is systemd's words (org.freedesktop.systemd1.Service).
type ending struct {
	Result string    // success, exit-code, signal, core-dump, timeout, oom-kill, resources, ...
	Code   int32     // ExecMainCode, a CLD_ number of waitid(2)
	Status int32     // ExecMainStatus: exit status or signal
	Active bool      // whether it was ever active, that is, whether its program ran
	Before string    // the command before the program that failed, whose Code and Status these are
	Over   bool      // it ran for as long as it may (RuntimeMaxSec=)
	Began  time.Time // of the run
	Job    string    // how the job of the start ended: failed, timeout, dependency, canceled; empty when none was awaited

	OutOfMemory bool // the kernel killed a process of it for memory
	OutOfTasks  bool // the kernel refused it a fork shortly before its end
	Full        bool // the file system of its home directory has no room left
	Hints       hints

	Home     string
	Command  string
	MemLimit uint64 // infinity: none
	TasksMax uint64
	Timeout  time.Duration // of the start
}

// The numbers of ExecMainCode.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// Statuses of jupyterhub-exec.
const (
	execCredential = 78
	execNoCommand  = 127
)

// firstSetup is the smallest status of a child of systemd's that did not become the unit's program. A smaller one is the
// program's own, even where the unit was never seen active: systemd may notice a quick end before it notices the beginning.
const firstSetup = 200

// statuses are those with which systemd's child ends when it cannot become the unit's program (systemd.exec(5), "process
// exit codes"), with the class of failure that each means to a user. What is missing here is of class system.
var statuses = map[int32]struct {
	name string
	kind hub.CauseKind
}{
	200: {"CHDIR", hub.CauseMissingHome},
	203: {"EXEC", hub.CauseMissingCommand},
	216: {"GROUP", hub.CauseAccount},
	217: {"USER", hub.CauseAccount},
	219: {"CGROUP", hub.CauseSystem},
	224: {"PAM", hub.CausePAM},
	226: {"NAMESPACE", hub.CauseSandbox},
	227: {"NO_NEW_PRIVILEGES", hub.CauseSandbox},
	228: {"SECCOMP", hub.CauseSandbox},
	231: {"APPARMOR", hub.CauseSandbox},
	232: {"ADDRESS_FAMILIES", hub.CauseSandbox},
	243: {"CREDENTIALS", hub.CauseCredential},
}

// cause says why a unit ended, or nil when it ended as it should.
func (e ending) cause() *hub.Cause {
	kind := e.kind()
	if kind == "" {
		return nil
	}
	c := &hub.Cause{Kind: kind, Message: e.message(kind), Detail: e.detail()}
	switch e.Code {
	case cldExited:
		c.ExitStatus = int(e.Status)
	case cldKilled, cldDumped:
		c.Signal = unix.SignalName(unix.Signal(e.Status))
	}
	return c
}

// failure is the cause of a unit that systemd calls failed, even where systemd has nothing to say.
func (e ending) failure(u hub.Unit, at time.Time) *hub.Cause {
	c := e.cause()
	if c == nil {
		c = &hub.Cause{Kind: hub.CauseSystem, Message: e.message(hub.CauseSystem), Detail: e.detail()}
	}
	c.Unit, c.Invocation, c.At = u.Name, u.Invocation, at
	return c
}

func (e ending) kind() hub.CauseKind {
	switch {
	case e.Result == "success" && (e.Job == "" || e.Job == "done"):
		return ""
	case e.Job == "dependency":
		return hub.CauseMissingHome // RequiresMountsFor= is the one dependency that can fail
	case e.Result == "oom-kill" || e.OutOfMemory && e.killed():
		return hub.CauseOutOfMemory
	case e.Result == "timeout" || e.Job == "timeout":
		return hub.CauseTimeout
	case e.OutOfTasks:
		return hub.CauseTasks
	case e.Result == "exit-code" && !e.Active && e.Status >= firstSetup:
		if s, known := statuses[e.Status]; known {
			return s.kind
		}
		return hub.CauseSystem
	case e.Before != "":
		return e.own()
	case e.Result == "exit-code" && e.Status == execCredential:
		return hub.CauseCredential
	case e.Result == "exit-code" && e.Status == execNoCommand:
		return hub.CauseMissingCommand
	case e.Result == "exit-code":
		return e.own()
	case e.by(unix.SIGSYS):
		return hub.CauseSandbox
	case e.Result == "signal" || e.Result == "core-dump":
		return hub.CauseSignal
	}
	return hub.CauseSystem
}

// own is why a program ended itself, as far as it said so.
func (e ending) own() hub.CauseKind {
	switch {
	case e.Full || e.Hints.full:
		return hub.CauseFullHome
	case e.Hints.config:
		return hub.CauseOwnConfig
	case e.Hints.device:
		return hub.CauseMissingDevice
	case e.Before != "":
		return hub.CauseSystem
	}
	return hub.CauseExited
}

// asked reports whether a unit failed only in that it did not end in time when somebody stopped or restarted it.
func (e ending) asked() bool { return e.Result == "timeout" && e.Active && !e.Over }

// by reports whether a signal ended the first process.
func (e ending) by(s unix.Signal) bool {
	return (e.Code == cldKilled || e.Code == cldDumped) && unix.Signal(e.Status) == s
}

// killed reports whether the first process was killed by the kernel's usual means. OOMPolicy=continue lets a unit live on
// when another process of it was.
func (e ending) killed() bool { return e.Code == cldKilled && e.by(unix.SIGKILL) }

// What a user can do about it, ending a message.
const (
	tellAdmin = " Please tell your administrator."
	tryAgain  = " Try again; if it happens again, tell your administrator."
	goOn      = " Start it again to go on."
)

// message is for the user: what happened and what to do.
func (e ending) message(kind hub.CauseKind) string {
	switch kind {
	case hub.CauseOutOfMemory:
		return "Your server was ended because it used more memory than it may" + limit(e.MemLimit, bytesText) +
			". Start it again and hold less data at once, or ask your administrator for a higher limit."
	case hub.CauseTasks:
		return "Your server could not go on because it reached its limit of processes and threads" + limit(e.TasksMax, countText) +
			". Start it again with fewer kernels or workers, or ask your administrator for a higher limit."
	case hub.CauseTimeout:
		if e.Active {
			return "Your server was ended because its time was over." + goOn
		}
		return fmt.Sprintf("Your server did not start within %s.", spoken(e.Timeout)) + tryAgain
	case hub.CauseMissingHome:
		return fmt.Sprintf("Your home directory %s is missing or cannot be entered.", e.Home) + tellAdmin
	case hub.CauseMissingCommand:
		return "The program that servers run cannot be started here." + tellAdmin
	case hub.CauseAccount:
		return "The system does not know your account any more." + tellAdmin
	case hub.CauseCredential:
		return "Your server could not get its identity from the hub." + tryAgain
	case hub.CauseFullHome:
		return "Your server could not write: there is no room left" + at(e.Home) + ", or your quota is used up. Start the rescue server and delete what you do not need."
	case hub.CauseOwnConfig:
		return "Your server could not read your own Jupyter configuration. Start the rescue server, which ignores it, and mend or remove it" + at(e.Home) + "/.jupyter."
	case hub.CauseMissingDevice:
		return "A device that your server needs is not there." + tellAdmin
	case hub.CauseSandbox:
		if e.by(unix.SIGSYS) {
			return "Your server was ended because it did what servers may not do here." + tellAdmin
		}
		return "This machine cannot give your server the protection that it is meant to have." + tellAdmin
	case hub.CausePAM:
		return "The system's login rules (PAM) did not let your server start." + tellAdmin
	case hub.CauseExited:
		return fmt.Sprintf("Your server ended by itself with status %d. The last lines of its log say more.", e.Status)
	case hub.CauseSignal:
		return "Your server was ended by the signal " + unix.SignalName(unix.Signal(e.Status)) + "." + goOn
	}
	if e.Before != "" {
		return "A command that has to run before your server failed. The last lines of its log may say more." + tellAdmin
	}
	return notSetUp + tellAdmin
}

// notSetUp is what a user is told of everything that is between root's side and systemd.
const notSetUp = "The system could not set up your server."

// detail is for an admin: systemd's own words.
func (e ending) detail() string {
	words := []string{"Result=" + e.Result}
	if e.Job != "" && e.Job != "done" {
		words = append(words, "job="+e.Job)
	}
	if e.Before != "" {
		words = append(words, "ExecStartPre="+e.Before)
	}
	switch e.Code {
	case cldExited:
		status := fmt.Sprintf("status=%d", e.Status)
		if s, known := statuses[e.Status]; known && !e.Active {
			status += "/" + s.name
		}
		words = append(words, "code=exited", status)
	case cldKilled, cldDumped:
		words = append(words, "code=killed", "signal="+unix.SignalName(unix.Signal(e.Status)))
	}
	return strings.Join(words, ", ")
}

// at names a directory where one is known.
func at(dir string) string {
	if dir == "" {
		return ""
	}
	return " in " + dir
}

// limit names a limit where there is one.
func limit(n uint64, text func(uint64) string) string {
	if n == 0 || n == infinity {
		return ""
	}
	return " (" + text(n) + ")"
}

// spoken says a span of time to a person, in seconds, or in minutes where those are whole.
func spoken(d time.Duration) string {
	if d >= 2*time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%g seconds", d.Seconds())
}

func countText(n uint64) string { return fmt.Sprint(n) }

func bytesText(n uint64) string {
	value, unit := float64(n)/(1<<20), "MiB"
	if value >= 1024 {
		value, unit = value/1024, "GiB"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + unit
}

// refused makes the error of a start that was refused before systemd was asked: a sentence for the user, who is sent to the
// administrator, and for the administrator why.
func refused(kind hub.Kind, cause hub.CauseKind, message string, why error) error {
	return &hub.Error{
		Kind: kind, Text: message + tellAdmin, Err: why,
		Cause: &hub.Cause{Kind: cause, Message: message + tellAdmin, Detail: why.Error()},
	}
}
