package config

import (
	"fmt"
	"slices"

	"jupyterhubd/hub"
)

// Spawner is [spawner] and what stands below it. Policy holds for everyone; groups, users and profiles say what differs.
type Spawner struct {
	StartTimeout Duration
	HTTPTimeout  Duration

	ServerTokenScopes        []string
	OAuthClientAllowedScopes []string
	OptionsForm              string   // "": what Profiles make
	OptionsFromForm          string   // passthrough, simple
	SleepAfter               Duration // 0: never
	BusyCPU                  float64  // CPUs; 0: whatever it does
	BusyKernels              Duration // 0: nobody is asked
	UnitNameTemplate         string
	Policy
	Groups   map[string]Overlay // by NSS group
	Users    map[string]Overlay // by account
	Profiles []Profile          // in the order of the files
}

// Policy is how one server runs.
type Policy struct {
	Cmd                  []string
	Args                 []string
	SearchPath           []string
	Environment          map[string]string
	DefaultURL           string
	NotebookDir          string
	DisableUserConfig    bool
	TCP                  bool
	RootDirectory        string // "": the machine's own tree
	RootImage            string
	ExtensionDirectories []string
	ExtensionImages      []string
	CreateHome           bool
	UserWorkingdir       string // "": the home directory
	DefaultShell         string // "": the account's own
	ExtraPaths           []string
	IsolateTmp           *bool // nil: as Sandbox says
	IsolateDevices       *bool
	DisableUserSudo      *bool
	ReadonlyPaths        []string
	ReadwritePaths       []string
	MemLimit             Bytes    // 0: none
	MemHigh              Bytes    // 0: none
	MemGuarantee         Bytes    // 0: none
	SwapLimit            *Bytes   // nil: none
	CPULimit             float64  // CPUs; 0: none
	CPUGuarantee         float64  // CPUs; 0: none
	CPUWeight            int64    // 0: what CPUGuarantee says
	IOWeight             int64    // 0: systemd's default
	TasksMax             int64    // 0: none
	RuntimeMax           Duration // 0: none
	IPAddressAllow       []string
	IPAddressDeny        []string
	UserMemLimit         Bytes // of all servers of one user; 0: none
	UserCPULimit         float64
	UserTasksMax         int64
	Max                  map[string]any // up to which a limit may be raised, by the option's name
	Slice                string         // "": the user's
	GroupSlice           bool
	GroupMemLimit        Bytes // of all members' servers; 0: none
	GroupCPULimit        float64
	GroupCPUWeight       int64
	GroupIOWeight        int64
	GroupTasksMax        int64
	DeviceAllow          []string
	Sandbox              map[string]any
	UnitExtraProperties  map[string]any
	UsernameTemplate     string // "": the account that logs in
	DynamicUsers         bool

	// SliceGroup is the group whose slice the server goes into, or "" for the user's own. PolicyFor finds it: the last of
	// the user's groups that says group_slice.
	SliceGroup string
}

var spawnerOptions = []row[Spawner]{
	option("start_timeout", span, seconds(60), func(s *Spawner) *Duration { return &s.StartTimeout },
		"The one deadline of a start: from the server's turn in line until it is ready.", spanAtLeast(seconds(1))),
	option("http_timeout", span, seconds(30), func(s *Spawner) *Duration { return &s.HTTPTimeout },
		"How long a server may take from having made its socket to its first answer, within start_timeout.", spanAtLeast(seconds(1))),
	option("server_token_scopes", texts, nil, func(s *Spawner) *[]string { return &s.ServerTokenScopes },
		"Scopes of a server's own token, as far as its user has them; empty is those of the role server.").applies(AtStart).
		note("\"!server\" and \"!user\" mean the server and its user. It may always report activity."),
	option("oauth_client_allowed_scopes", texts, nil, func(s *Spawner) *[]string { return &s.OAuthClientAllowedScopes },
		"Scopes that a server may ask its visitors for, besides who they are and that they may enter.").applies(AtStart),
	option("options_form", text, "", func(s *Spawner) *string { return &s.OptionsForm },
		"HTML of the fields that the page of a start asks, in place of the form made from [[spawner.profile]].").
		note("The page has the form around them and the button. What is answered stands in user_options, by each field's name; a field named profile chooses a profile, and one named as an option of it answers that. Labels, fields and text alone: what the page's policy forbids is refused."),
	option("options_from_form", text, "passthrough", func(s *Spawner) *string { return &s.OptionsFromForm },
		"What user_options are made of the fields of a start's form: \"passthrough\" is a list for each; \"simple\" makes a string of a list of one, and true of \"on\".",
		oneOf("passthrough", "simple")),
	option("sleep_after", span, 0, func(s *Spawner) *Duration { return &s.SleepAfter },
		"How long a server is idle until it is frozen; the next request wakes it, kernels and all; 0 is never.").
		note("Where the kernel cannot freeze (jupyterhub doctor says so), an idle server is stopped instead. The culler's timeout, if it is longer, stops servers that sleep."),
	option("busy_cpu", real, 0.1, func(s *Spawner) *float64 { return &s.BusyCPU },
		"CPUs that a server uses on average when it is taken to be at work, whether anybody watches or not; 0 does not ask.", realWithin(0, 1024)).
		note("Looked at every five minutes; it moves last_activity, so that neither sleep_after nor a culler ends a computation."),
	option("busy_kernels", span, seconds(7*24*3600), func(s *Spawner) *Duration { return &s.BusyKernels },
		"For how long a server is active because it says that a kernel runs a cell, though nobody visits it and it needs no processor; 0 asks no server.").
		note("A cell that waits for a database or a batch system looks idle otherwise. The server is asked when sleep_after, or the timeout of [culler], is about to be over. A culler with another timeout wants that one set there."),
	option("unit_name_template", text, hub.DefaultUnitTemplate, func(s *Spawner) *string { return &s.UnitNameTemplate },
		"What the systemd units of servers are called: it begins with \"jupyter-\", and has {USERNAME} in it.", unitTemplate).applies(AtStart).
		note("{SERVERNAME} and the \"-\" before it fall away where a server has no name; a template without {SERVERNAME} gets both at its end. " +
			"Servers that run keep their units' names. Drop-ins go by the names: move them along."),
}

func unitTemplate(s string) error {
	_, err := hub.ParseUnitTemplate(s)
	return err
}

// policyOptions can also stand in [spawner.group.X], [spawner.user.X] and [[spawner.profile]].
var policyOptions = each(AtStart, slices.Concat(personOptions(), commandOptions(), softwareOptions(), limitOptions(), sliceOptions(), sandboxOptions()))

func commandOptions() []row[Policy] {
	return []row[Policy]{
		option("cmd", texts, []string{"jupyterhub-singleuser"}, func(p *Policy) *[]string { return &p.Cmd },
			"Command of a user's server; a name without a slash is looked up in search_path.", notEmpty).
			note("{username}, {account} and {home} are filled in, {socket} in what follows the program. The program must be a file that nobody but root can write, in directories that nobody but root can write."),
		option("args", texts, nil, func(p *Policy) *[]string { return &p.Args },
			"Further arguments of the command; {username}, {home} and {socket} are filled in."),
		option("search_path", texts, []string{"/opt/jupyterhub/bin", "/usr/local/bin", "/usr/bin", "/bin"},
			func(p *Policy) *[]string { return &p.SearchPath },
			"Directories in which cmd is looked up; also the server's PATH.", every(absolute)),
		option("environment", names, nil, func(p *Policy) *map[string]string { return &p.Environment },
			"Variables that servers get besides their own; everybody on the machine may see them.", variables).
			note("{username} and {home} are filled in."),
		option("default_url", text, "/lab", func(p *Policy) *string { return &p.DefaultURL },
			"Page of the server that opens first; \"/tree\" is the classic notebook.", emptyOr(urlPath)),
		option("notebook_dir", text, "", func(p *Policy) *string { return &p.NotebookDir },
			"Top directory of the file browser; \"~\" begins the home directory, empty is the home directory.").
			note("{username} and {home} are filled in."),
		option("disable_user_config", boolean, false, func(p *Policy) *bool { return &p.DisableUserConfig },
			"Ignore Jupyter configuration files in the home directory."),
		option("tcp", boolean, false, func(p *Policy) *bool { return &p.TCP },
			"For programs that cannot listen on a Unix socket: cmd listens on {port} of 127.0.0.1, and its unit stands in for it at the socket.").
			note("jupyterhub-exec chooses a free port, puts it for {port} in cmd and args, and says it in JUPYTERHUB_SERVICE_URL. The port is " +
				"open to every account of this machine: the program has to ask who comes."),
		option("create_home", boolean, false, func(p *Policy) *bool { return &p.CreateHome },
			"Make a home directory that is missing before a server starts, from /etc/skel and for its user alone, as pam_mkhomedir does.").
			note("By mkhomedir_helper of Linux-PAM, when what is mounted there has been mounted. Homes that root itself may not enter (NFS with root_squash, FUSE) " +
				"are made by nobody here, and work as others do, but not with root_directory and root_image."),
		option("user_workingdir", text, "", func(p *Policy) *string { return &p.UserWorkingdir },
			"Directory in which servers start; empty is the home directory.", emptyOr(pathOrHome)).
			note("{username} and {home} are filled in. See notebook_dir for what the file browser shows."),
		option("default_shell", text, "", func(p *Policy) *string { return &p.DefaultShell },
			"Shell of JupyterLab's terminals (the variable SHELL); empty is the account's own.", emptyOr(absolute)),
		option("extra_paths", texts, nil, func(p *Policy) *[]string { return &p.ExtraPaths },
			"Directories that come first in the server's PATH; cmd is not looked up there.", every(pathOrHome)).
			note("{username} and {home} are filled in."),
	}
}

// profileOptions are the keys of a [[spawner.profile]] that no other table has.
var profileOptions = each(AtStart, []row[Profile]{
	option("name", text, "", func(p *Profile) *string { return &p.Name },
		"What the profile is called in addresses and in the API; must be there.", profileName),
	option("display_name", text, "", func(p *Profile) *string { return &p.DisplayName },
		"What people see; empty is the name."),
	option("description", text, "", func(p *Profile) *string { return &p.Description },
		"A sentence below it."),
	option("allowed_groups", texts, nil, func(p *Profile) *[]string { return &p.AllowedGroups },
		"Groups of the system whose members may choose it; with allowed_users empty too, everyone.", every(accountName)),
	option("allowed_users", texts, nil, func(p *Profile) *[]string { return &p.AllowedUsers },
		"Accounts that may choose it.", every(accountName)),
	option("sleep_after", span, 0, func(p *Profile) *Duration { return &p.SleepAfter },
		"As in [spawner], for servers of this profile; 0 is what [spawner] says."),
	option("default", boolean, false, func(p *Profile) *bool { return &p.Default },
		"Start this profile for whom it is offered when none is chosen; of several the first."),
	option("start_at_boot", boolean, false, func(p *Profile) *bool { return &p.StartAtBoot },
		"Start servers of this profile again that ran when the machine went down."),
})

func profileName(s string) error {
	if !bare(s) || len(s) > 64 {
		return fmt.Errorf(`is %q; it wants letters, digits, - and _, such as "gpu"`, s)
	}
	return nil
}
