package launcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first release of systemd that knows all that units of ours use.
const oldest = 252

// Check returns what is missing on this machine, each a sentence that names the remedy. It looks at root's configuration as
// it stands in the file now, so that an edit can be tried before it is taken over; with mistakes in it, which another verb
// tells, at the one in force.
func (l *Launcher) Check() []string {
	policy, _, err := l.load(false)
	if err != nil {
		policy = l.policy.Load()
	}
	return l.check(policy)
}

func (l *Launcher) check(policy *Policy) []string {
	var findings []string
	find := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }

	for _, p := range policy.Programs {
		findings = append(findings, p.check()...)
	}
	for _, d := range policy.Devices {
		findings = append(findings, d.check(machineRoot)...)
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
	findings = append(findings, l.cgroups.check()...)
	findings = append(findings, l.cgroups.checkSleep()...)
	findings = append(findings, policy.inVain(l.cgroups, machineRoot)...)
	findings = append(findings, policy.overflow(l.cgroups, machineRoot)...)
	return append(findings, l.checkSystemd()...)
}

// check tries the program of one table.
func (p Program) check() []string {
	switch {
	case len(p.Command) == 0:
		return []string{p.Table + ".cmd is empty: name the program that servers run"}
	case strings.Contains(p.Command[0], "{"):
		return nil // each user's is another one
	}
	passed, err := p.lookUp()
	if err != nil {
		passed = append([]error{err}, passed...)
	}
	var findings []string
	for _, why := range passed {
		consequence := "servers cannot start"
		if err == nil {
			consequence = "a program is passed over, for one further on in search_path"
		}
		findings = append(findings, fmt.Sprintf("%s.cmd: %s: %v", p.Table, consequence, why))
	}
	return findings
}

// lookUp finds the program, and says what it passed over.
func (p Program) lookUp() (passed []error, err error) {
	if p.Software.other() || p.Software.extended() {
		_, err = p.Software.find(p.Command[0], p.SearchPath)
		return nil, err
	}
	_, passed, err = tree("").lookUp(p.Command[0], p.SearchPath)
	return passed, err
}

// check tells which limits do nothing.
func (c cgroups) check() []string {
	var findings []string
	for _, controller := range slices.Sorted(maps.Keys(controllers)) {
		if !c.has(controller) {
			findings = append(findings, fmt.Sprintf("%s limits nothing here: there is no %s controller for control groups; "+
				"boot the kernel without cgroup_disable=%s", controllers[controller], controller, controller))
		}
	}
	return findings
}

// reportFindings puts what Check says of the policy in force into the log.
func (l *Launcher) reportFindings() {
	for _, finding := range l.check(l.policy.Load()) {
		l.o.Report("check the machine", "", errors.New(finding))
	}
}

// reportAtFirst reports once it can be told what systemd says.
func (l *Launcher) reportAtFirst(ctx context.Context) error {
	if err := l.roster.ready(ctx); err != nil {
		return ctx.Err()
	}
	l.reportFindings()
	return nil
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
