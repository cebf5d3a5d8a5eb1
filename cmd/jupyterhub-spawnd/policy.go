package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner/launcher"
)

// source reads root's configuration. It remembers which policy came from which configuration, to tell what changed: a
// policy that was only looked at is not in force.
type source struct {
	dir string

	mu   sync.Mutex // guards read
	read map[*launcher.Policy]*config.Config
}

// load reads the configuration as a policy. It refuses with every mistake at once, those that only the launcher can find
// included.
func (s *source) load(inForce *launcher.Policy) (*launcher.Policy, []string, error) {
	c, err := config.Load(s.dir)
	if err != nil {
		return nil, nil, err
	}
	if mistakes := checkProperties(c); len(mistakes) > 0 {
		return nil, nil, hub.Errorf(hub.Invalid, "%w", mistakes)
	}
	p, err := policy(c)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.read[inForce]
	s.read = map[*launcher.Policy]*config.Config{inForce: before, p: c}
	if before == nil {
		return p, nil, nil
	}
	var changes []string
	for _, change := range config.Changes(before, c, "authenticator", "spawner") {
		changes = append(changes, change.String())
	}
	return p, changes, nil
}

// policy says in the launcher's words what the configuration says.
func policy(c *config.Config) (*launcher.Policy, error) {
	names, err := hub.ParseUnitTemplate(c.Spawner.UnitNameTemplate)
	if err != nil {
		return nil, err
	}
	p := &launcher.Policy{
		Names:        names,
		Rules:        rules(c.Authenticator),
		StartTimeout: c.Spawner.StartTimeout.Std(),
		RunsAs:       func(user string) (launcher.RunsAs, error) { return runsAs(c, user) },
		Settings: func(p launcher.Person, choice launcher.Choice) (launcher.Settings, error) {
			return settingsFor(c, p, choice)
		},
		Provided:      func(p launcher.Person, choice launcher.Choice) ([]hub.Provided, error) { return provided(c, p, choice) },
		GroupSettings: len(c.Spawner.Groups) > 0,
		Programs:      programs(c),
		Devices:       devices(c),
	}
	p.Services, p.Uses = services(c), uses(c)
	p.SwapOpen = c.Spawner.MemLimit > 0 && !slices.Contains(p.Uses, "swap_limit")
	for _, o := range c.Spawner.Profiles {
		p.Profiles = append(p.Profiles, launcher.Profile{Offer: o.Offer(), AllowedGroups: o.AllowedGroups, AllowedUsers: o.AllowedUsers})
	}
	return p, nil
}

// services are those of the configuration that systemd runs.
func services(c *config.Config) []launcher.Service {
	var all []launcher.Service
	for _, s := range c.Hub.Services {
		if s.Managed() {
			all = append(all, launcher.Service{
				Name: s.Name, Command: s.Command, SearchPath: c.Spawner.SearchPath, User: s.User, Cwd: s.Cwd, Environment: s.Environment,
				MemLimit: int64(s.MemLimit), CPULimit: s.CPULimit, TasksMax: s.TasksMax,
			})
		}
	}
	return all
}

func rules(a config.Authenticator) account.Rules {
	r := account.Rules{
		AllowAll: a.AllowAll, AllowedUsers: a.AllowedUsers, AllowedGroups: a.AllowedGroups, BlockedUsers: a.BlockedUsers, MinUID: a.MinUID,
		Guests: account.Guests{Names: a.GuestUsers, Groups: a.GuestGroups}, Names: account.Names(a.UsernamePattern),
	}
	if r.MinUID == 0 {
		r.MinUID = account.MinUID()
	}
	return r
}

// runsAs says as whom a user's servers run: as the account that logs in by that name, where nothing else is written.
func runsAs(c *config.Config, user string) (launcher.RunsAs, error) {
	p := c.Spawner.PolicyFor(user, nil, nil)
	if p.DynamicUsers || p.UsernameTemplate != "" {
		fill := strings.NewReplacer("{username}", user, "{USERNAME}", user)
		return launcher.RunsAs{Account: fill.Replace(p.UsernameTemplate), Other: true, Guest: p.DynamicUsers}, nil
	}
	own, err := account.Aliases(c.Authenticator.UsernameMap).Account(user)
	return launcher.RunsAs{Account: own}, err
}

// picks are the answers to a profile's options, and what they set.
func picks(c *config.Config, choice launcher.Choice) (*config.Profile, []config.Pick, error) {
	profile := c.Spawner.ProfileNamed(choice.Profile)
	if profile == nil {
		return nil, nil, nil
	}
	picks, err := profile.Choose(choice.Options)
	return profile, picks, err
}

func settingsFor(c *config.Config, p launcher.Person, choice launcher.Choice) (launcher.Settings, error) {
	profile, picks, err := picks(c, choice)
	if err != nil {
		return launcher.Settings{}, err
	}
	s := settings(c.Spawner.PolicyFor(p.User, p.Account.Groups, profile, picks...))
	for _, pick := range picks {
		if s.Chosen == nil {
			s.Chosen = map[string]any{}
		}
		s.Chosen[pick.Option] = pick.Answer
	}
	return s, nil
}

// provided says where each setting comes from.
func provided(c *config.Config, p launcher.Person, choice launcher.Choice) ([]hub.Provided, error) {
	profile, picks, err := picks(c, choice)
	if err != nil {
		return nil, err
	}
	var all []hub.Provided
	for _, s := range c.Settings() {
		if s.Section == "spawner" && s.Key == "unit_name_template" {
			all = append(all, hub.Provided{Name: s.Key, Value: s.Literal(), Origin: s.Origin()})
		}
	}
	for _, s := range c.Explain(p.User, p.Account.Groups, profile, picks) {
		all = append(all, hub.Provided{Name: s.Key, Value: s.Literal(), Origin: s.Origin()})
	}
	return all, nil
}

// software says where programs come from.
func software(p config.Policy) launcher.Software {
	return launcher.Software{
		RootDirectory: p.RootDirectory, RootImage: p.RootImage,
		ExtensionDirectories: p.ExtensionDirectories, ExtensionImages: p.ExtensionImages,
	}
}

func settings(p config.Policy) launcher.Settings {
	return launcher.Settings{
		Software: software(p), CreateHome: p.CreateHome,
		Command: p.Cmd, Args: p.Args, SearchPath: p.SearchPath,
		Environment: p.Environment, DefaultURL: p.DefaultURL, NotebookDir: p.NotebookDir, DisableUserConfig: p.DisableUserConfig, TCP: p.TCP,
		WorkingDir: p.UserWorkingdir, Shell: p.DefaultShell, ExtraPaths: p.ExtraPaths,
		MemLimit: int64(p.MemLimit), MemHigh: int64(p.MemHigh), MemGuarantee: int64(p.MemGuarantee), SwapLimit: swap(p.SwapLimit),
		CPULimit: p.CPULimit, CPUGuarantee: p.CPUGuarantee, CPUWeight: p.CPUWeight, IOWeight: p.IOWeight, TasksMax: p.TasksMax,
		RuntimeMax: p.RuntimeMax.Std(), Max: ceilings(p.Max),
		AddressAllow: p.IPAddressAllow, AddressDeny: p.IPAddressDeny, ReadOnly: p.ReadonlyPaths, ReadWrite: p.ReadwritePaths,
		Group: p.SliceGroup, Slice: p.Slice, DeviceAllow: p.DeviceAllow,
		UserLimits: hub.Limits{MemoryMax: int64(p.UserMemLimit), CPUQuota: p.UserCPULimit, TasksMax: p.UserTasksMax},
		GroupLimits: hub.Limits{
			MemoryMax: int64(p.GroupMemLimit), CPUQuota: p.GroupCPULimit, CPUWeight: p.GroupCPUWeight, IOWeight: p.GroupIOWeight, TasksMax: p.GroupTasksMax,
		},
		Sandbox: p.Sandbox, UnitExtraProperties: p.UnitExtraProperties,
	}
}

// swap is nil where nothing is said.
func swap(limit *config.Bytes) *int64 {
	if limit == nil {
		return nil
	}
	n := int64(*limit)
	return &n
}

// ceilings are the limits of [spawner.max].
func ceilings(max map[string]any) hub.Limits {
	bytes := func(key string) int64 { n, _ := max[key].(config.Bytes); return int64(n) }
	count := func(key string) int64 { n, _ := max[key].(int64); return n }
	quota, _ := max["cpu_limit"].(float64)
	return hub.Limits{
		MemoryMax: bytes("mem_limit"), MemoryHigh: bytes("mem_high"), CPUQuota: quota,
		CPUWeight: count("cpu_weight"), IOWeight: count("io_weight"), TasksMax: count("tasks_max"),
	}
}

// table is a part of the configuration that may say for some servers what [spawner] says for all.
type table struct {
	path string
	config.Overlay
}

func tables(c *config.Config) []table {
	var all []table
	for _, name := range slices.Sorted(maps.Keys(c.Spawner.Groups)) {
		all = append(all, table{"spawner.group." + name, c.Spawner.Groups[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Spawner.Users)) {
		all = append(all, table{"spawner.user." + name, c.Spawner.Users[name]})
	}
	for _, p := range c.Spawner.Profiles {
		all = append(all, table{"spawner.profile." + p.Name, p.Overlay})
		for _, o := range p.Options {
			for _, choice := range o.Choices {
				all = append(all, table{"spawner.profile." + p.Name + ".profile_options." + o.Name + ".choices." + choice.Name, choice.Overlay})
			}
		}
	}
	return all
}

// findsPrograms are the options that decide which program runs.
var findsPrograms = []string{"cmd", "search_path", "root_directory", "root_image", "extension_directories", "extension_images"}

// programs lists what [spawner] runs, and what each table runs that has a command or a search path of its own.
func programs(c *config.Config) []launcher.Program {
	all := []launcher.Program{{Table: "spawner", Command: c.Spawner.Cmd, SearchPath: c.Spawner.SearchPath, Software: software(c.Spawner.Policy)}}
	for _, t := range tables(c) {
		if !slices.ContainsFunc(t.Keys(), func(key string) bool { return slices.Contains(findsPrograms, key) }) {
			continue
		}
		p := c.Spawner.PolicyFor("", nil, nil)
		t.Apply(&p)
		all = append(all, launcher.Program{Table: t.path, Command: p.Cmd, SearchPath: p.SearchPath, Software: software(p)})
	}
	return all
}

// devices lists what [spawner] and each table open to servers.
func devices(c *config.Config) []launcher.Devices {
	all := []launcher.Devices{{Table: "spawner", Allow: c.Spawner.DeviceAllow}}
	for _, t := range tables(c) {
		all = append(all, launcher.Devices{Table: t.path, Allow: own(t.Overlay).DeviceAllow})
	}
	return slices.DeleteFunc(all, func(d launcher.Devices) bool { return len(d.Allow) == 0 })
}

// uses lists the options of servers that any table sets.
func uses(c *config.Config) []string {
	var all []string
	for _, s := range c.Settings() {
		if s.Section == "spawner" && s.File != "" {
			all = append(all, s.Key)
		}
	}
	for _, t := range tables(c) {
		all = append(all, t.Keys()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// checkProperties finds the properties, in every table that may hold some, that systemd would refuse at the first start.
func checkProperties(c *config.Config) config.Mistakes {
	mistakes := mistakesIn(c, "spawner", c.Spawner.Policy)
	for _, t := range tables(c) {
		mistakes = append(mistakes, mistakesIn(c, t.path, own(t.Overlay))...)
	}
	for _, p := range c.Spawner.Profiles {
		for _, o := range p.Options {
			at := "spawner.profile." + p.Name + ".profile_options." + o.Name
			if o.Unlisted != nil {
				mistakes = append(mistakes, inEach(mistakesWith(c, at+".unlisted_choice", o.Unlisted.Samples()))...)
			}
			if o.Range != nil {
				mistakes = append(mistakes, inAny(mistakesWith(c, at+".range", o.Range.Samples()))...)
			}
		}
	}
	return mistakes
}

// mistakesWith returns what is wrong with each of some answers to a question.
func mistakesWith(c *config.Config, path string, samples []config.Overlay) (all []config.Mistakes) {
	for _, s := range samples {
		all = append(all, mistakesIn(c, path, own(s)))
	}
	return all
}

// inEach returns the first's mistakes in properties that are wrong in all.
func inEach(all []config.Mistakes) config.Mistakes {
	if len(all) == 0 {
		return nil
	}
	return slices.DeleteFunc(all[0], func(m config.Mistake) bool {
		return slices.ContainsFunc(all, func(other config.Mistakes) bool { return !concerns(other, m.Key) })
	})
}

func concerns(all config.Mistakes, key string) bool {
	return slices.ContainsFunc(all, func(m config.Mistake) bool { return m.Key == key })
}

// inAny returns a mistake in each property that is wrong in one.
func inAny(all []config.Mistakes) (found config.Mistakes) {
	for _, m := range slices.Concat(all...) {
		if !concerns(found, m.Key) {
			found = append(found, m)
		}
	}
	return found
}

// own is what an overlay sets by itself.
func own(o config.Overlay) config.Policy {
	var p config.Policy
	o.Apply(&p)
	return p
}

func mistakesIn(c *config.Config, path string, p config.Policy) config.Mistakes {
	var mistakes config.Mistakes
	for key, table := range map[string]map[string]any{"sandbox": p.Sandbox, "unit_extra_properties": p.UnitExtraProperties} {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			err := launcher.CheckProperty(name, table[name])
			if err == nil {
				continue
			}
			at := fmt.Sprintf("%s.%s.%s", path, key, name)
			where := c.Where(at)
			mistakes = append(mistakes, config.Mistake{File: where.File, Line: where.Line, Key: at, Text: err.Error()})
		}
	}
	slices.SortStableFunc(mistakes, func(a, b config.Mistake) int { return strings.Compare(a.Key, b.Key) })
	return mistakes
}
