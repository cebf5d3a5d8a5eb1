package launcher

import (
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

func TestEveryEndHasItsCause(t *testing.T) {
	for name, c := range map[string]struct {
		end     ending
		kind    hub.CauseKind
		message string
		detail  string
	}{
		"missing home": {
			ending{Result: "exit-code", Code: cldExited, Status: 200, Home: "/home/alice"},
			hub.CauseMissingHome, "Your home directory /home/alice is missing", "Result=exit-code, code=exited, status=200/CHDIR"},
		"home not mounted": {
			ending{Result: "success", Job: "dependency", Home: "/net/alice"},
			hub.CauseMissingHome, "/net/alice is missing", "Result=success, job=dependency"},
		"no jupyterhub-exec": {
			ending{Result: "exit-code", Code: cldExited, Status: 203},
			hub.CauseMissingCommand, "cannot be started here", "203/EXEC"},
		"no command": {
			ending{Result: "exit-code", Code: cldExited, Status: 127, Active: true},
			hub.CauseMissingCommand, "cannot be started here", "status=127"},
		"no credential": {
			ending{Result: "exit-code", Code: cldExited, Status: 243},
			hub.CauseCredential, "its identity", "243/CREDENTIALS"},
		"half a credential": {
			ending{Result: "exit-code", Code: cldExited, Status: 78, Active: true},
			hub.CauseCredential, "Try again", "status=78"},
		"half a credential, noticed before its unit was active": {
			ending{Result: "exit-code", Code: cldExited, Status: 78},
			hub.CauseCredential, "Try again", "status=78"},
		"exit before the unit was active": {
			ending{Result: "exit-code", Code: cldExited, Status: 3},
			hub.CauseExited, "ended by itself with status 3", "status=3"},
		"no account": {
			ending{Result: "exit-code", Code: cldExited, Status: 217},
			hub.CauseAccount, "does not know your account", "217/USER"},
		"sandbox": {
			ending{Result: "exit-code", Code: cldExited, Status: 226},
			hub.CauseSandbox, "cannot give your server the protection", "226/NAMESPACE"},
		"a call that the sandbox forbids": {
			ending{Result: "core-dump", Code: cldDumped, Status: 31, Active: true},
			hub.CauseSandbox, "did what servers may not do", "signal=SIGSYS"},
		"PAMName= in a drop-in": {
			ending{Result: "exit-code", Code: cldExited, Status: 224},
			hub.CausePAM, "login rules", "224/PAM"},
		"disk full": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true, Full: true, Home: "/home/alice"},
			hub.CauseFullHome, "no room left in /home/alice", "status=1"},
		"quota used up": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true, Hints: hintsIn([]string{"OSError: [Errno 122] Disk quota exceeded: 'x'"})},
			hub.CauseFullHome, "or your quota is used up", "status=1"},
		"own configuration": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true, Home: "/home/alice",
				Hints: hintsIn([]string{"[C] Exception while loading config file /home/alice/.jupyter/jupyter_server_config.py"})},
			hub.CauseOwnConfig, "mend or remove it in /home/alice/.jupyter", "status=1"},
		"a device that is not there": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true, Hints: hintsIn([]string{"open /dev/nvidia0: No such device"})},
			hub.CauseMissingDevice, "device", "status=1"},
		"the kernel's word counts more than the server's": {
			ending{Result: "oom-kill", Code: cldKilled, Status: 9, Active: true, Hints: hints{full: true, config: true}},
			hub.CauseOutOfMemory, "memory", "SIGKILL"},
		"unknown status before the program ran": {
			ending{Result: "exit-code", Code: cldExited, Status: 250},
			hub.CauseSystem, "could not set up", "status=250"},
		"a program that plays systemd": {
			ending{Result: "exit-code", Code: cldExited, Status: 200, Active: true},
			hub.CauseExited, "with status 200", "status=200"},
		"exit at once": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true},
			hub.CauseExited, "ended by itself with status 1", "status=1"},
		"out of memory, cgroup v2": {
			ending{Result: "oom-kill", Code: cldKilled, Status: 9, Active: true, MemLimit: 3 << 29},
			hub.CauseOutOfMemory, "more memory than it may (1.5 GiB)", "signal=SIGKILL"},
		"out of memory, cgroup v1": {
			ending{Result: "signal", Code: cldKilled, Status: 9, Active: true, OutOfMemory: true, MemLimit: 256 << 20},
			hub.CauseOutOfMemory, "(256 MiB)", "Result=signal"},
		"a kernel was killed for memory, later the server fails by itself": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true, OutOfMemory: true},
			hub.CauseExited, "status 1", "status=1"},
		"over TasksMax": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true, OutOfTasks: true, TasksMax: 32},
			hub.CauseTasks, "processes and threads (32)", "status=1"},
		"killed": {
			ending{Result: "signal", Code: cldKilled, Status: 15, Active: true, MemLimit: infinity},
			hub.CauseSignal, "signal SIGTERM", "signal=SIGTERM"},
		"crashed": {
			ending{Result: "core-dump", Code: cldDumped, Status: 11, Active: true},
			hub.CauseSignal, "SIGSEGV", "signal=SIGSEGV"},
		"slow credential server": {
			ending{Result: "timeout", Timeout: time.Minute},
			hub.CauseTimeout, "did not start within 60 seconds.", "Result=timeout"},
		"RuntimeMaxSec": {
			ending{Result: "timeout", Active: true, Over: true},
			hub.CauseTimeout, "its time was over", "Result=timeout"},
		"a command before it fails": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Before: "/bin/false"},
			hub.CauseSystem, "A command that has to run before your server failed", "ExecStartPre=/bin/false, code=exited, status=1"},
		"a command before it is killed": {
			ending{Result: "signal", Code: cldKilled, Status: 9, Before: "/bin/sh"},
			hub.CauseSystem, "A command that has to run before your server failed", "ExecStartPre=/bin/sh, code=killed, signal=SIGKILL"},
		"a command before it finds no room": {
			ending{Result: "exit-code", Code: cldExited, Status: 1, Before: "/bin/cp", Full: true, Home: "/home/alice"},
			hub.CauseFullHome, "no room left in /home/alice", "ExecStartPre=/bin/cp"},
		"a command before it finds no home": {
			ending{Result: "exit-code", Code: cldExited, Status: 200, Before: "/bin/cp", Home: "/home/alice"},
			hub.CauseMissingHome, "Your home directory /home/alice is missing", "200/CHDIR"},
		"no room for the unit": {
			ending{Result: "resources"},
			hub.CauseSystem, "could not set up", "Result=resources"},
	} {
		got := c.end.cause()
		if got == nil || got.Kind != c.kind || !strings.Contains(got.Message, c.message) || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %+v, want %s, %q, %q", name, got, c.kind, c.message, c.detail)
		}
	}
}

func TestAGoodEndHasNoCause(t *testing.T) {
	for _, e := range []ending{{Result: "success", Code: cldExited}, {Result: "success", Job: "done", Active: true}} {
		if got := e.cause(); got != nil {
			t.Errorf("%+v: %+v", e, got)
		}
	}
}
