package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// oldest is the first release of systemd that knows all that units of ours use.
const oldest = 252

// Check returns what is missing on this machine, each a sentence that names the remedy.
func (l *Launcher) Check() []string {
	var findings []string
	find := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }

	settings := l.policy.Load().Settings(hub.Account{}, "")
	if len(settings.Command) == 0 {
		find("spawner.cmd is empty: name the program that servers run")
	} else if _, err := findCommand(settings.Command[0], settings.SearchPath); err != nil {
		find("servers cannot start: %v", err)
	}
	if err := checkProgram(l.o.Layout.Exec); err != nil {
		find("servers cannot start: %v; install jupyterhub again", err)
	}
	if err := checkProgram(journalctl); err != nil {
		find("why a server failed cannot be told: %v; install systemd's journal tools", err)
	}
	if err := l.sockets.check(); err != nil {
		find("servers cannot listen: %v", err)
	}
	if _, err := os.Stat(l.o.Layout.Credentials); errors.Is(err, fs.ErrNotExist) {
		find("servers cannot fetch who they are: %s is missing; systemctl start jupyterhub-credentials.socket", l.o.Layout.Credentials)
	}
	for _, controller := range slices.Sorted(maps.Keys(controllers)) {
		if !l.cgroups.has(controller) {
			find("%s limits nothing here: there is no %s controller for control groups; boot the kernel without cgroup_disable=%s",
				controllers[controller], controller, controller)
		}
	}
	return append(findings, l.checkSystemd()...)
}

func (l *Launcher) checkSystemd() []string {
	b, err := l.live()
	if err != nil {
		return []string{"systemd does not answer: see journalctl -u jupyterhub-spawnd"}
	}
	version, err := b.GetManagerProperty("Version")
	if err != nil {
		return []string{fmt.Sprintf("systemd does not say its version: %v", err)}
	}
	if n := leadingNumber(strings.Trim(version, `"`)); n > 0 && n < oldest {
		return []string{fmt.Sprintf("systemd is %d, and servers need %d or later: upgrade the system", n, oldest)}
	}
	return nil
}

// leadingNumber reads "252.38-1~deb12u1" as 252, and 0 where there is no number.
func leadingNumber(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		s = s[:end]
	}
	n, _ := strconv.Atoi(s)
	return n
}
