package launcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// maxOptions bounds the user_options of a start in bytes.
const maxOptions = 64 << 10

// Interface returns the verbs of the door. What a caller may say is what their parameters have room for.
func (l *Launcher) Interface() varlink.Interface {
	return varlink.Interface{
		Name:        "org.jupyterhub.Spawner",
		Description: varlink.SpawnerInterface,
		Methods: map[string]varlink.Handler{
			"Start":              l.serveStart,
			"Stop":               l.serveStop,
			"List":               l.serveList,
			"Watch":              l.serveWatch,
			"Usage":              l.serveUsage,
			"Ended":              l.serveEnded,
			"Profiles":           l.serveProfiles,
			"Explain":            l.serveExplain,
			"Limit":              l.serveLimit,
			"Freeze":             l.onUnit(l.Freeze),
			"Thaw":               l.onUnit(l.Thaw),
			"Headroom":           l.serveHeadroom,
			"Journal":            l.serveJournal,
			"Check":              l.serveCheck,
			"CheckConfiguration": l.serveCheckConfiguration,
			"Reload":             l.serveReload,
			"ApplyServices":      l.serveApplyServices,
		},
	}
}

// wanted is a server as its user wants it.
type wanted struct {
	hub.ServerRef
	Profile *string         `json:"profile"`
	Options json.RawMessage `json:"options"`
}

// choice reads user_options. A profile takes of them what it asks for; nothing else of them composes anything.
func (w wanted) choice() (Choice, error) {
	var c Choice
	if w.Profile != nil {
		c.Profile = *w.Profile
	}
	options := bytes.TrimSpace(w.Options)
	switch {
	case len(options) == 0 || string(options) == "null":
		return c, nil
	case len(options) > maxOptions:
		return c, hub.Errorf(hub.TooLarge, "the options of a server are at most %d bytes", maxOptions)
	case options[0] != '{':
		return c, hub.Errorf(hub.Invalid, "the options of a server are an object")
	}
	if err := json.Unmarshal(options, &c.Options); err != nil {
		return c, hub.Errorf(hub.Invalid, "the options of a server cannot be read")
	}
	return c, nil
}

func (l *Launcher) serveStart(ctx context.Context, r *varlink.Request) error {
	var in wanted
	if err := r.Decode(&in); err != nil {
		return err
	}
	choice, err := in.choice()
	if err != nil {
		return err
	}
	unit, err := l.Start(ctx, in.ServerRef, choice)
	if err != nil {
		return err
	}
	return r.Reply(unitReply{unit})
}

func (l *Launcher) serveProfiles(ctx context.Context, r *varlink.Request) error {
	var in struct {
		User string `json:"user"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	offers, err := l.Profiles(ctx, in.User)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Profiles []hub.Offer `json:"profiles"`
	}{offers})
}

func (l *Launcher) serveExplain(ctx context.Context, r *varlink.Request) error {
	var in wanted
	if err := r.Decode(&in); err != nil {
		return err
	}
	choice, err := in.choice()
	if err != nil {
		return err
	}
	explanation, err := l.Explain(ctx, in.ServerRef, choice)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Explanation hub.Explanation `json:"explanation"`
	}{explanation})
}

func (l *Launcher) serveStop(ctx context.Context, r *varlink.Request) error {
	var ref hub.ServerRef
	if err := r.Decode(&ref); err != nil {
		return err
	}
	if err := l.Stop(ctx, ref); err != nil {
		return err
	}
	return r.Reply(struct{}{})
}

func (l *Launcher) serveLimit(ctx context.Context, r *varlink.Request) error {
	var in struct {
		hub.ServerRef
		Limits  *hub.Limits `json:"limits"`
		ForGood *bool       `json:"for_good"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	limits, err := l.Limit(ctx, in.ServerRef, in.Limits, in.ForGood != nil && *in.ForGood)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Limits hub.Limits `json:"limits"`
	}{limits})
}

// onUnit serves a verb that takes a server and returns its unit.
func (l *Launcher) onUnit(verb func(context.Context, hub.ServerRef) (hub.Unit, error)) varlink.Handler {
	return func(ctx context.Context, r *varlink.Request) error {
		var ref hub.ServerRef
		if err := r.Decode(&ref); err != nil {
			return err
		}
		unit, err := verb(ctx, ref)
		if err != nil {
			return err
		}
		return r.Reply(unitReply{unit})
	}
}

func (l *Launcher) serveList(ctx context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	whole, err := l.roster.list(ctx)
	if err != nil {
		return err
	}
	return r.Reply(inventoryReply{&whole})
}

type inventoryReply struct {
	Inventory *hub.Inventory `json:"inventory"`
}

type unitReply struct {
	Unit hub.Unit `json:"unit"`
}

// serveWatch tells the whole and then every change, until the caller leaves.
func (l *Launcher) serveWatch(ctx context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	if err := l.roster.ready(ctx); err != nil {
		return err
	}
	w, leave := l.roster.watch()
	defer leave()
	for {
		whole, units, err := l.roster.next(ctx, w)
		if err == nil && whole != nil {
			err = r.Continue(inventoryReply{whole})
		}
		for _, u := range units {
			if err == nil {
				err = r.Continue(unitReply{u})
			}
		}
		if err != nil {
			return err
		}
		l.forgive(ctx)
	}
}

func (l *Launcher) serveUsage(ctx context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	if err := l.roster.ready(ctx); err != nil {
		return err
	}
	return r.Reply(struct {
		Units []hub.Unit `json:"units"`
	}{l.usage()})
}

// usage returns the units that run with what they consume now.
func (l *Launcher) usage() []hub.Unit {
	alive := l.roster.alive()
	units := make([]hub.Unit, 0, len(alive))
	for _, e := range alive {
		u := e.unit
		if e.group != "" {
			u.Memory, u.CPU, u.Tasks = l.cgroups.usage(e.group)
			u.Used = l.cgroups.used(e.group)
		}
		units = append(units, u)
	}
	slices.SortFunc(units, func(a, b hub.Unit) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return units
}

func (l *Launcher) serveJournal(ctx context.Context, r *varlink.Request) error {
	var in struct {
		hub.ServerRef
		Lines int `json:"lines"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if in.Lines < 1 || in.Lines > maxLines {
		return hub.Errorf(hub.Invalid, "lines is a number from 1 to %d", maxLines)
	}
	if err := l.roster.ready(ctx); err != nil {
		return err
	}
	e, _ := l.roster.get(in.ServerRef)
	t, err := l.journal(ctx, run{unit: e.unit.Name, invocation: e.unit.Invocation}, in.Lines)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Lines []string `json:"lines"`
	}{append([]string{}, t.lines...)})
}

func (l *Launcher) serveCheck(_ context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	return r.Reply(struct {
		Findings []string `json:"findings"`
	}{append([]string{}, l.Check()...)})
}

func (l *Launcher) serveCheckConfiguration(_ context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	if _, _, err := l.load(false); err != nil {
		return mistakes(err)
	}
	return r.Reply(struct{}{})
}

func (l *Launcher) serveReload(_ context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	changes, err := l.Reload()
	if err != nil {
		return mistakes(err)
	}
	return r.Reply(struct {
		Changes []string `json:"changes"`
	}{append([]string{}, changes...)})
}

func (l *Launcher) serveApplyServices(ctx context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	units, err := l.ApplyServices(ctx)
	if err != nil {
		return err
	}
	return r.Reply(struct {
		Services []hub.ServiceUnit `json:"services"`
	}{units})
}

// Reload takes root's configuration over for servers started from now on, and says what is different. With any mistake it
// changes nothing and returns all of them.
func (l *Launcher) Reload() ([]string, error) {
	_, changes, err := l.load(true)
	if err == nil {
		l.reportFindings()
	}
	return changes, err
}

// load reads root's configuration, and takes it over if it is meant to.
func (l *Launcher) load(takeOver bool) (*Policy, []string, error) {
	l.loading.Lock()
	defer l.loading.Unlock()
	policy, changes, err := l.o.Load(l.policy.Load())
	if err == nil && takeOver {
		l.policy.Store(policy)
	}
	return policy, changes, err
}

// mistakes makes the mistakes of root's configuration something that may be shown: the file is readable by everybody.
func mistakes(err error) error {
	var e *hub.Error
	if errors.As(err, &e) {
		return err
	}
	return hub.Errorf(hub.Invalid, "%w", err)
}

// nothing refuses parameters where there are none.
func nothing(r *varlink.Request) error {
	var none struct{}
	return r.Decode(&none)
}
