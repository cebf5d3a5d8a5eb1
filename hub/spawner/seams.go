package spawner

import (
	"context"
	"encoding/json"

	"jupyterhubd/hub"
)

// Spawner starts and stops units and tells what runs. Package spawnertest holds what is expected of it as a suite of tests,
// and a double.
type Spawner interface {
	// Start returns the unit once it is active. It refuses with hub.Conflict when the unit is alive already, and with an
	// error that has a Cause when the unit did not come up. Kind hub.Unavailable is kept for "nobody answers": the
	// Manager asks again when somebody does.
	Start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Unit, error)
	// Stop returns once the unit is gone. It ends a start that is under way, and is no error where there is no unit.
	Stop(ctx context.Context, ref hub.ServerRef) error
	// Watch reports every unit of ours, then each one that changes, from one goroutine, until ctx ends or the connection
	// breaks. It may report a new whole at any time. A unit that ended is reported as inactive, or failed with its cause.
	Watch(ctx context.Context, inventory func(hub.Inventory), unit func(hub.Unit)) error
	// Usage returns the units that run with what they consume now.
	Usage(ctx context.Context) ([]hub.Unit, error)
}

// Sleeper lays servers to sleep and wakes them. A server that sleeps keeps its memory's contents and its connections, and
// does nothing.
type Sleeper interface {
	// Freeze returns once no process of the unit gets a turn. It is hub.NotRunning unless the unit is active, and has a cause
	// of kind hub.CauseCannotFreeze where the machine cannot.
	Freeze(ctx context.Context, ref hub.ServerRef) (hub.Unit, error)
	// Thaw returns once the unit runs again. One that is awake is no error; one that is not active is hub.NotRunning.
	Thaw(ctx context.Context, ref hub.ServerRef) (hub.Unit, error)
}

// Router edits the proxy's table.
type Router interface {
	Add(ctx context.Context, r hub.Route) error // replaces the route of the same spec
	Delete(ctx context.Context, spec string) error
	Routes(ctx context.Context) ([]hub.Route, error)
}

// Probe asks a server that listens for a first answer, and returns the JupyterHub release that it names, which may be "".
// It keeps asking until it has one or ctx ends, except that a stranger behind the socket is an error at once.
type Probe func(ctx context.Context, unit hub.Unit, prefix string) (version string, err error)

// Kernels asks a server that runs whether a kernel of it is at work, with a token that lets in. An error means that it does not say.
// The answer may be a lie.
type Kernels func(ctx context.Context, unit hub.Unit, prefix, token string) (busy bool, err error)

// Headroom returns what the machine has left on which servers run.
type Headroom func(ctx context.Context) (hub.Headroom, error)

// Journal returns the last lines that a server's unit wrote.
type Journal func(ctx context.Context, ref hub.ServerRef, lines int) ([]string, error)
