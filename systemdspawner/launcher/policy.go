package launcher

import (
	"slices"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
)

// Policy is what root allows: who may have a server, and how it runs. A main makes it from root's configuration; nothing in
// it ever comes from the hub.
type Policy struct {
	// Rules say which accounts may have servers at all.
	Rules account.Rules

	// Names say what units are called that are started from now on. Those that run keep theirs.
	Names hub.UnitNames

	// StartTimeout is how long a unit may take until its first process runs, the credential's journey included. The hub
	// has one deadline of the same length that begins no later, and lasts until the server is ready.
	StartTimeout time.Duration

	// Profiles are the ways to start a server among which a user may choose.
	Profiles []Profile

	// RunsAs says as whom a user's servers run. Its errors are for the log.
	RunsAs func(user string) (RunsAs, error)

	// Settings returns what holds for one person by one choice: what is set for everyone, then for the account's NSS
	// groups, for the user, for the profile, for the answers to its options, the later winning. It is called with
	// profiles of Profiles alone, and refuses answers that the profile does not take (hub.Invalid, for the user).
	Settings func(p Person, c Choice) (Settings, error)

	// Provided returns every setting with the place that it comes from.
	Provided func(p Person, c Choice) ([]hub.Provided, error)

	// GroupSettings says that Settings looks at an account's groups.
	GroupSettings bool

	// Services are the programs that systemd runs beside the hub.
	Services []Service

	// SwapOpen says that there is a limit of memory, and not a word about swap.
	SwapOpen bool

	// Uses are the options of servers that root's file sets anywhere, for Check.
	Uses []string

	// Programs are what the tables of the configuration name to be run, for Check.
	Programs []Program

	// Devices are what they open, for Check.
	Devices []Devices
}

// Program is a command by the table that names it, or that names where to look for it.
type Program struct {
	Table      string   // "spawner.group.students"
	Command    []string // as in Settings
	SearchPath []string
	Software   Software
}

// Choice is what a user asks for.
type Choice struct {
	Profile string         // "" is the default one
	Options map[string]any // user_options, as JSON has them; what the profile does not ask for is left
}

// Profile is a way to start a server, and who may choose it: with both lists empty everyone.
type Profile struct {
	Offer         hub.Offer
	AllowedGroups []string // NSS groups
	AllowedUsers  []string // the hub's names
}

// Settings say how one server runs. The texts of Command, Args, Environment, DefaultURL, NotebookDir and the properties may
// hold {username} (the hub's name), {account} (the system's), {home} and {socket}. A command whose arguments do not say {socket} is told --ServerApp.sock.
type Settings struct {
	Command    []string // a name that is looked up in SearchPath, or an absolute path; then its first arguments
	Args       []string // further arguments
	SearchPath []string // absolute directories; also the server's PATH

	Environment       map[string]string // visible to everybody on the machine; never secrets
	DefaultURL        string            // JUPYTERHUB_DEFAULT_URL; "" is unset
	NotebookDir       string            // JUPYTERHUB_ROOT_DIR; "" is unset, "~" begins the home directory
	DisableUserConfig bool              // JUPYTERHUB_DISABLE_USER_CONFIG
	TCP               bool              // the command listens at {port}, which jupyterhub-exec chooses and relays to

	Software   Software
	CreateHome bool     // a home directory that is missing is made from /etc/skel
	WorkingDir string   // "" is the home directory
	Shell      string   // SHELL; "" is the account's own
	ExtraPaths []string // come first in PATH

	MemLimit     int64         // bytes, MemoryMax=; 0 is no limit
	MemHigh      int64         // bytes, MemoryHigh=; 0 is none
	MemGuarantee int64         // bytes, MemoryMin=; 0 is none
	SwapLimit    *int64        // bytes, MemorySwapMax=; nil is no limit
	CPULimit     float64       // CPUs, CPUQuota=; 0 is no limit
	CPUGuarantee float64       // CPUs
	CPUWeight    int64         // 0 is 100 for each CPU that is guaranteed, or else systemd's default
	IOWeight     int64         // 0 is systemd's default
	TasksMax     int64         // processes and threads; 0 is systemd's default
	RuntimeMax   time.Duration // 0 is for ever
	Max          hub.Limits    // up to where a limit may be raised while the server runs; 0: it may be lowered alone

	AddressAllow, AddressDeny []string // as CheckProperty takes them for IPAddressAllow=
	ReadOnly, ReadWrite       []string // paths

	// Group is the NSS group in whose slice, jupyter-group_<g>.slice, the account's slice is. Empty is none: the account's
	// slice, jupyter-user_<u>.slice, is right in jupyter.slice. Slice stands for both where it is set.
	Group string
	Slice string

	Chosen map[string]any // the answers to the profile's options

	UserLimits  hub.Limits // of the account's slice
	GroupLimits hub.Limits // of the group's

	// DeviceAllow are device nodes such as /dev/nvidia0, patterns of them, or systemd's "char-…" and "block-…" classes,
	// beside the harmless ones. With any, PrivateDevices= gives way to DevicePolicy=closed.
	DeviceAllow []string

	// Sandbox and UnitExtraProperties are properties by systemd's names; values are string, int64, bool or a list of
	// strings, see CheckProperty. Where both have a name, UnitExtraProperties wins.
	Sandbox             map[string]any
	UnitExtraProperties map[string]any
}

// settingsFor returns how a person's server runs by a choice, and the profile that this is, or why it may not.
func (p *Policy) settingsFor(who Person, c Choice) (Settings, string, error) {
	if c.Profile == "" {
		c.Profile = p.defaultFor(who)
	} else if s, ok, err := p.builtIn(who, c.Profile); ok {
		return s, c.Profile, err
	} else if err := p.offers(who, c.Profile); err != nil {
		return Settings{}, "", err
	}
	s, err := p.Settings(who, c)
	return s, c.Profile, err
}

func (p *Policy) offers(who Person, profile string) error {
	at := p.index(profile)
	switch {
	case at < 0:
		return hub.Errorf(hub.Invalid, "there is no profile %q; choose another one", profile)
	case !p.Profiles[at].admits(who):
		return hub.Errorf(hub.Forbidden, "the profile %q is not for you; choose another one", profile)
	}
	return nil
}

// index returns where a profile of root's file stands, or -1.
func (p *Policy) index(profile string) int {
	return slices.IndexFunc(p.Profiles, func(o Profile) bool { return o.Offer.Name == profile })
}

// defaultFor returns the profile that an account has which chooses none, or "".
func (p *Policy) defaultFor(who Person) string {
	for _, o := range p.Profiles {
		if o.Offer.Default && o.admits(who) {
			return o.Offer.Name
		}
	}
	return ""
}

// settingsNow returns how a server that runs by a choice would start now. What is gone of it, or not the account's any more,
// says nothing.
func (p *Policy) settingsNow(who Person, c Choice) (Settings, error) {
	s, _, err := p.settingsFor(who, c)
	if err != nil {
		s, _, err = p.settingsFor(who, Choice{})
	}
	return s, err
}

// needsGroups reports whether anything depends on the groups of an account. Asking for them takes as long again as asking who
// it is.
func (p *Policy) needsGroups() bool {
	return p.GroupSettings || len(p.Rules.AllowedGroups) > 0 ||
		slices.ContainsFunc(p.Profiles, func(o Profile) bool { return len(o.AllowedGroups) > 0 })
}

func (p Profile) admits(who Person) bool {
	if len(p.AllowedGroups) == 0 && len(p.AllowedUsers) == 0 {
		return true
	}
	inGroup := func(g string) bool { return slices.Contains(p.AllowedGroups, g) }
	return slices.Contains(p.AllowedUsers, who.User) || slices.ContainsFunc(who.Account.Groups, inGroup)
}

// properties returns the two tables as one.
func (s Settings) properties() map[string]any {
	all := make(map[string]any, len(s.Sandbox)+len(s.UnitExtraProperties))
	for _, table := range []map[string]any{s.Sandbox, s.UnitExtraProperties} {
		for name, value := range table {
			all[name] = plainValue(value)
		}
	}
	return all
}
