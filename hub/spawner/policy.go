package spawner

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"jupyterhubd/hub"
)

// Policy is what an admin may change while the hub runs. It holds for what happens next; a start under way keeps the
// deadlines that it began with.
type Policy struct {
	StartTimeout             time.Duration            // from a server's turn to its first answer
	HTTPTimeout              time.Duration            // of that, from its socket to its first answer
	StopTimeout              time.Duration            // for systemd to get rid of a unit
	ConcurrentSpawnLimit     int                      // servers starting at once; more wait in line; 0: no limit
	ActiveServerLimit        int                      // servers that had their turn and are not stopped yet; more wait in line; 0: no limit
	SpawnQueueLimit          int                      // servers that wait in line; more are refused; 0: no limit
	Reserve                  Reserve                  // of the machine, without which nobody's turn comes
	SleepAfter               map[string]time.Duration // by profile, "" is none: without activity; absent or 0: never
	BusyCPU                  float64                  // processors at work on average that make a server active; 0: whatever it does
	BusyKernels              time.Duration            // for which a server's word counts that a kernel is at work, when nothing else shows it; 0: nobody is asked
	CullAfter                time.Duration            // without activity: when a culler may stop a server; 0: there is none
	Quota                    Quota                    // of each user
	AllowNamedServers        bool
	NamedServerLimitPerUser  int      // named servers a user may have, stopped ones too; 0: no limit
	ServerTokenScopes        []string // of a server's own token; empty: JupyterHub's role "server"
	OAuthClientAllowedScopes []string // what a server may ask of its visitors besides entering it
	StartAtBoot              []string // profiles whose servers come back after a reboot
}

// DefaultPolicy is JupyterHub's defaults, with a longer line.
func DefaultPolicy() Policy {
	return Policy{StartTimeout: 60 * time.Second, HTTPTimeout: 30 * time.Second, StopTimeout: 2 * time.Minute, ConcurrentSpawnLimit: 100,
		SpawnQueueLimit: 1000, BusyCPU: 0.1, BusyKernels: 7 * 24 * time.Hour}
}

// SetPolicy replaces the policy, as a reload does.
func (m *Manager) SetPolicy(p Policy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.policy = p
	m.admit()
	m.nod()
}

func (m *Manager) policyNow() Policy {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.policy
}

// serverName is JupyterHub 6's rule for the names of new servers.
var serverName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Longest names, in characters.
const (
	maxServerName  = 30
	maxDisplayName = 255
)

// admitNew refuses a server that does not exist yet if it must not: names, the feature switched off, too many of them.
// named is how many named servers the user has.
func (p Policy) admitNew(ref hub.ServerRef, displayName string, named int) error {
	switch {
	case len(ref.Server) > maxServerName || !serverName.MatchString(ref.Server):
		return hub.Errorf(hub.Invalid, "%q cannot be a server's name: lower-case letters, digits and single dashes, at most %d, "+
			"a letter first", ref.Server, maxServerName)
	case p.NamedServerLimitPerUser > 0 && named >= p.NamedServerLimitPerUser:
		return hub.Errorf(hub.Invalid, "User %s already has the maximum of %d named servers. One must be deleted before a new "+
			"server can be created", ref.User, p.NamedServerLimitPerUser)
	}
	return checkDisplayName(displayName)
}

// admitNamed refuses every named server while the feature is off.
func (p Policy) admitNamed(ref hub.ServerRef) error {
	if ref.Server != "" && !p.AllowNamedServers {
		return hub.Errorf(hub.Invalid, "Named servers are not enabled.")
	}
	return nil
}

func checkDisplayName(name string) error {
	bad := utf8.RuneCountInString(name) > maxDisplayName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.Contains(name, "  ") || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	if bad {
		return hub.Errorf(hub.Invalid, "a display name has 1 to %d printable characters, no space at its ends and no two in a row", maxDisplayName)
	}
	return nil
}

func (p Policy) startsAtBoot(profile string) bool {
	return profile != "" && slices.Contains(p.StartAtBoot, profile)
}
