package launcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
)

// Service is a program of root's configuration that speaks to the hub in its own name, and that systemd runs.
type Service struct {
	Name        string
	Command     []string // as in Settings
	SearchPath  []string
	User        string // "" is an account that exists while it runs
	Cwd         string
	Environment map[string]string
	MemLimit    int64   // bytes; 0 is no limit
	CPULimit    float64 // CPUs; 0 is no limit
	TasksMax    int64   // 0 is systemd's default
}

const (
	servicePrefix  = "jupyterhub-service-" // no user's unit begins so
	servicePattern = servicePrefix + "*.service"
	serviceSlice   = "jupyterhub-services.slice" // beside the daemons', whose memory is kept for them

	markService = "JUPYTERHUB_SERVICE"
	markDigest  = "JUPYTERHUB_SERVICE_DIGEST" // of what the unit was composed from
)

func serviceUnit(name string) string { return servicePrefix + name + ".service" }

// serviceOrder is a service's unit to compose.
type serviceOrder struct {
	Service
	UID     int64 // NoUID is an account that exists while it runs
	Program string
}

// composeService decides every property of a service's unit. It is a pure function, as Compose is.
func composeService(l Layout, o serviceOrder) []sd.Property {
	all := slices.Concat(serviceIdentity(o), serviceProcess(l, o), serviceSandbox(l), serviceOwn(o))
	digest := sha256.Sum256([]byte(fmt.Sprint(all)))
	return append(all, prop("LogExtraFields", [][]byte{
		[]byte(markService + "=" + o.Name), []byte(markDigest + "=" + hex.EncodeToString(digest[:hashBytes])),
	}))
}

func serviceIdentity(o serviceOrder) []sd.Property {
	return []sd.Property{
		prop("Description", "JupyterHub service "+o.Name),
		prop("Slice", serviceSlice),
		prop("CollectMode", "inactive-or-failed"),
		prop("SyslogIdentifier", o.Name),
		prop("LogRateLimitIntervalUSec", uint64(30*time.Second/time.Microsecond)),
		prop("LogRateLimitBurst", uint32(1000)),
		prop("After", []string{"jupyterhub.service", "network.target", "nss-user-lookup.target"}),
		// `systemctl stop jupyterhub.target` closes every door, and these are doors.
		prop("PartOf", []string{"jupyterhub.target"}),
	}
}

func serviceProcess(l Layout, o serviceOrder) []sd.Property {
	argv := append([]string{l.Exec, "--", o.Program}, o.Command[1:]...)
	return []sd.Property{
		prop("Type", "exec"),
		prop("ExecStart", []command{{l.Exec, withoutDollars(argv), false}}),
		prop("Environment", serviceEnvironment(o)),
		prop("LoadCredential", []mount{{credential.Name, l.Credentials}}),
		prop("StandardInput", "null"),
		prop("StandardOutput", "journal"),
		prop("StandardError", "journal"),
		// A service is there as long as the hub wants it: it is begun anew whatever it ended with, and not given up.
		prop("Restart", "always"),
		prop("RestartUSec", uint64(2*time.Second/time.Microsecond)),
		prop("StartLimitIntervalUSec", uint64(0)),
		prop("TimeoutStopUSec", uint64(stopTimeout.Microseconds())),
		prop("KillMode", "mixed"),
	}
}

// serviceSandbox is what the kernel keeps from a service: less than from users' servers, since root chose the program.
func serviceSandbox(l Layout) []sd.Property {
	hidden := make([]string, 0, len(l.Hidden)+1)
	for _, path := range append(slices.Clone(l.Hidden), l.Sockets) {
		hidden = append(hidden, "-"+path)
	}
	return []sd.Property{
		prop("MemoryAccounting", true),
		prop("CPUAccounting", true),
		prop("TasksAccounting", true),
		prop("NoNewPrivileges", true),
		prop("PrivateDevices", true),
		prop("PrivateTmp", true),
		prop("ProtectSystem", "full"),
		prop("ProtectControlGroups", true),
		prop("ProtectKernelLogs", true),
		prop("ProtectKernelModules", true),
		prop("ProtectKernelTunables", true),
		prop("ProtectProc", "invisible"),
		prop("RestrictRealtime", true),
		prop("RestrictSUIDSGID", true),
		prop("LockPersonality", true),
		prop("InaccessiblePaths", hidden),
	}
}

// serviceOwn is what differs from service to service.
func serviceOwn(o serviceOrder) (all []sd.Property) {
	if o.UID == hub.NoUID {
		// Its own files are in a directory that it finds by $STATE_DIRECTORY.
		all = append(all, prop("DynamicUser", true), prop("StateDirectory", []string{servicePrefix + o.Name}), prop("ProtectHome", "yes"))
	} else {
		all = append(all, prop("User", fmt.Sprint(o.UID)))
	}
	if o.Cwd != "" {
		all = append(all, prop("WorkingDirectory", o.Cwd))
	}
	if o.MemLimit > 0 {
		all = append(all, prop("MemoryMax", uint64(o.MemLimit)))
	}
	if o.CPULimit > 0 {
		all = append(all, prop("CPUQuotaPerSecUSec", uint64(o.CPULimit*1e6)))
	}
	if o.TasksMax > 0 {
		all = append(all, prop("TasksMax", uint64(o.TasksMax)))
	}
	return all
}

func serviceEnvironment(o serviceOrder) []string {
	env := []string{"PATH=" + strings.Join(o.SearchPath, ":")}
	for _, name := range slices.Sorted(maps.Keys(o.Environment)) {
		env = append(env, name+"="+o.Environment[name])
	}
	return env
}

// order decides everything about a service's unit from root's side.
func (l *Launcher) serviceOrder(ctx context.Context, s Service) (serviceOrder, error) {
	o := serviceOrder{Service: s, UID: hub.NoUID}
	program, err := tree("").find(s.Command[0], s.SearchPath)
	if err != nil {
		return o, err
	}
	if o.Program = program; s.User == "" {
		return o, nil
	}
	account, err := l.o.Lookup(ctx, s.User, false)
	switch {
	case err != nil:
		return o, fmt.Errorf("look up user %s: %w", s.User, err)
	case account.UID == 0:
		return o, errors.New("a service is never root: name another user")
	}
	o.UID = account.UID
	return o, nil
}

// ApplyServices makes systemd run exactly the services of root's configuration: what runs as it should goes on, what has changed is
// started anew, what is not there any more ends. It says how each is now; what is wrong with one hinders no other.
func (l *Launcher) ApplyServices(ctx context.Context) ([]hub.ServiceUnit, error) {
	l.serving.Lock()
	defer l.serving.Unlock()
	b, err := l.live()
	if err != nil {
		return nil, err
	}
	runs, err := b.services(ctx)
	if err != nil {
		return nil, err
	}
	units := []hub.ServiceUnit{}
	for _, s := range l.policy.Load().Services {
		u := hub.ServiceUnit{Service: s.Name, Name: serviceUnit(s.Name)}
		if u.State, err = l.applyService(ctx, b, s, runs[s.Name]); err != nil {
			u.Problem = err.Error()
			l.o.Report("run a service", u.Name, err)
		}
		delete(runs, s.Name)
		units = append(units, u)
	}
	for name := range runs {
		if err := b.endService(ctx, serviceUnit(name)); err != nil {
			return units, err
		}
	}
	return units, nil
}

func (l *Launcher) applyService(ctx context.Context, b *bus, s Service, runs seen) (hub.UnitState, error) {
	o, err := l.serviceOrder(ctx, s)
	if err != nil {
		return "", err
	}
	properties := composeService(l.o.Layout, o)
	if runs != nil {
		if runs.mark(markDigest) == digestOf(properties) && runs.state().Alive() {
			return runs.state(), nil
		}
		if err := b.endService(ctx, serviceUnit(s.Name)); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, serviceTime)
	defer cancel()
	done := make(chan string, 1)
	if _, err := b.StartTransientUnitContext(ctx, serviceUnit(s.Name), "fail", properties, done); err != nil {
		return "", fmt.Errorf("start it: %w", err)
	}
	job, err := b.await(ctx, done)
	if err == nil && job != "done" {
		err = fmt.Errorf("it does not start (%s); journalctl -u %s may know more", job, serviceUnit(s.Name))
	}
	if err != nil {
		return hub.UnitActivating, err
	}
	return hub.UnitActive, nil
}

// serviceTime bounds the start of one service's unit: its first process, not its work.
const serviceTime = 20 * time.Second

func digestOf(properties []sd.Property) string {
	fields, _ := properties[len(properties)-1].Value.Value().([][]byte)
	return seen{"LogExtraFields": fields}.mark(markDigest)
}

// services returns the services' units that are ours, by the services' names. An admin's own unit of such a name is not.
func (b *bus) services(ctx context.Context) (map[string]seen, error) {
	list, err := b.ListUnitsByPatternsContext(ctx, nil, []string{servicePattern})
	if err != nil {
		return nil, busError(err, "list the services' units")
	}
	all := map[string]seen{}
	for _, u := range list {
		properties, err := b.GetAllPropertiesContext(ctx, u.Name)
		if err != nil {
			return nil, busError(err, "read the properties of "+u.Name)
		}
		s := seen(properties)
		transient, _ := s["Transient"].(bool)
		if name := s.mark(markService); transient && name != "" && serviceUnit(name) == u.Name {
			all[name] = s
		}
	}
	return all, nil
}

// endService stops a service's unit and waits until it is gone.
func (b *bus) endService(ctx context.Context, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout+grace)
	defer cancel()
	done := make(chan string, 1)
	_, err := b.StopUnitContext(ctx, unit, "replace", done)
	switch {
	case isBusError(err, noSuchUnit):
		return nil
	case err != nil:
		return busError(err, "stop "+unit)
	}
	if _, err := b.await(ctx, done); err != nil {
		return err
	}
	_ = b.ResetFailedUnitContext(ctx, unit) // one that ended well is not known any more, ignoring
	return nil
}
