package launcher

import (
	"context"
	"slices"

	"jupyterhubd/hub"
)

// Profiles returns what an account may choose.
func (l *Launcher) Profiles(ctx context.Context, user string) ([]hub.Offer, error) {
	policy := l.policy.Load()
	person, err := l.person(ctx, policy, user)
	if err != nil {
		return nil, err
	}
	offers := []hub.Offer{}
	preset := policy.defaultFor(person)
	for _, p := range policy.Profiles {
		if p.admits(person) {
			offer := p.Offer
			offer.Default = offer.Name == preset // of several that are marked the first counts
			offers = append(offers, offer)
		}
	}
	return offers, nil
}

// Explain says how a server would start now: the settings with the places in root's files that decide about them, then the
// properties of its unit, and last what drop-ins say, which systemd puts over them.
func (l *Launcher) Explain(ctx context.Context, ref hub.ServerRef, choice Choice) (hub.Explanation, error) {
	o, err := l.order(ctx, ref, choice)
	if err != nil {
		return hub.Explanation{}, err
	}
	c, err := Compose(l.o.Layout, o)
	if err != nil {
		return hub.Explanation{}, refused(hub.Unknown, hub.CauseSystem, "Servers are not set up correctly here.", err)
	}
	settings, err := l.policy.Load().Provided(o.Person, Choice{Profile: o.Profile, Options: choice.Options})
	if err != nil {
		return hub.Explanation{}, err
	}
	e := hub.Explanation{Unit: c.Unit, Slice: c.Slice, Profile: o.Profile, Command: argv(l.o.Layout, o, c), Settings: settings}
	lasting := l.lasting.of(ref, o.Person.Account.UID)
	for _, p := range c.Properties {
		spoken := spokenOf(p)
		spoken.Origin = origin(p.Name, settings, lasting)
		e.Properties = append(e.Properties, spoken)
	}
	e.Properties = append(e.Properties, dropIns(unitDirs, c.Unit)...)
	return e, nil
}

// decidedBy are the options behind properties, the first that says something first. What is in no table of root's files is
// jupyterhub-spawnd's own.
var decidedBy = map[string][]string{
	"CPUQuotaPerSecUSec":   {"cpu_limit"},
	"CPUWeight":            {"cpu_weight", "cpu_guarantee"},
	"DeviceAllow":          {"device_allow"},
	"DevicePolicy":         {"device_allow"},
	"DynamicUser":          {"dynamic_users"},
	"ExecStart":            {"cmd"},
	"ExtensionDirectories": {"extension_directories"},
	"ExtensionImages":      {"extension_images"},
	"IOWeight":             {"io_weight"},
	"IPAddressAllow":       {"ip_address_allow"},
	"IPAddressDeny":        {"ip_address_deny"},
	"MemoryHigh":           {"mem_high"},
	"MemoryMax":            {"mem_limit"},
	"MemoryMin":            {"mem_guarantee"},
	"MemorySwapMax":        {"swap_limit"},
	"NoNewPrivileges":      {"disable_user_sudo"},
	"PrivateDevices":       {"isolate_devices"},
	"PrivateTmp":           {"isolate_tmp"},
	"ReadOnlyPaths":        {"readonly_paths"},
	"ReadWritePaths":       {"readwrite_paths"},
	"RootDirectory":        {"root_directory"},
	"RootImage":            {"root_image"},
	"RuntimeMaxUSec":       {"runtime_max"},
	"Slice":                {"slice", "group_slice"},
	"StateDirectory":       {"dynamic_users"},
	"TasksMax":             {"tasks_max"},
	"User":                 {"dynamic_users", "username_template"},
	"WorkingDirectory":     {"user_workingdir"},
}

// Origins of what no file says.
const (
	spawnds = "jupyterhub-spawnd"
	lasts   = "jupyterhub limit"
)

// origin finds the place that decides about a property: JupyterHub's names for parts of the sandbox before its table, as
// PolicyFor has it, and unit_extra_properties before all.
func origin(property string, settings []hub.Provided, lasting hub.Limits) string {
	options := decidedBy[property]
	for _, f := range limitFields {
		if len(options) > 0 && options[0] == f.option && f.get(lasting) > 0 {
			return lasts
		}
	}
	names := append([]string{"unit_extra_properties." + property}, options...)
	for _, name := range append(names, "sandbox."+property) {
		at := slices.IndexFunc(settings, func(s hub.Provided) bool { return s.Name == name && !slices.Contains(unset, s.Value) })
		if at >= 0 {
			return settings[at].Origin
		}
	}
	return spawnds
}

// unset are the values that say nothing.
var unset = []string{`""`, "0", "0.0", "[]", `"0"`, `"0s"`}
