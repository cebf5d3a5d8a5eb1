package systemdspawner

import (
	"context"
	"encoding/json"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// DefaultSocket is where jupyterhub-spawnd.socket listens.
const DefaultSocket = "/run/jupyterhub/spawnd.sock"

const spawnerInterface = "org.jupyterhub.Spawner."

// Client calls a spawner. Its methods may be called from any goroutine. All of them fail with kind Unavailable when the
// door is away, and with the context's error when that ends first.
type Client struct{ path string }

// New returns a client of the spawner behind the Unix socket at path. It does not connect yet.
func New(path string) *Client { return &Client{path: path} }

// Start starts the server's unit and returns it once it is active; whether it listens yet, Watch tells. A unit that is
// alive already is a Conflict. Other refusals carry a hub.Cause: Forbidden or NotFound for an account that may not or does
// not exist, Unknown for a unit that did not come up.
func (c *Client) Start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Unit, error) {
	return c.unit(ctx, "Start", choice{ref, profile, options})
}

// choice is a server as its user wants it.
type choice struct {
	hub.ServerRef
	Profile string          `json:"profile,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
}

// Stop returns once the server's unit is gone. It ends a start that is under way; a server without a unit is no error.
func (c *Client) Stop(ctx context.Context, ref hub.ServerRef) error {
	return c.call(ctx, "Stop", ref, nil)
}

// List returns all our units as they are now.
func (c *Client) List(ctx context.Context) (hub.Inventory, error) {
	var out struct {
		Inventory hub.Inventory `json:"inventory"`
	}
	err := c.call(ctx, "List", nil, &out)
	return out.Inventory, err
}

// Watch reports all our units, then every one that changes, from the calling goroutine, until ctx ends or the connection
// breaks. A whole inventory may come again at any time; it replaces what was said before.
func (c *Client) Watch(ctx context.Context, inventory func(hub.Inventory), unit func(hub.Unit)) error {
	conn, err := varlink.Dial(ctx, c.path)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.Stream(ctx, spawnerInterface+"Watch", nil, func(reply json.RawMessage) error {
		var said struct {
			Inventory *hub.Inventory `json:"inventory"`
			Unit      *hub.Unit      `json:"unit"`
		}
		if err := json.Unmarshal(reply, &said); err != nil {
			return hub.Errorf(hub.Unavailable, "the spawner said what cannot be read: %v", err)
		}
		if said.Inventory != nil {
			inventory(*said.Inventory)
		}
		if said.Unit != nil {
			unit(*said.Unit)
		}
		return nil
	})
	if err == nil {
		return hub.Errorf(hub.Unavailable, "the spawner ended its stream")
	}
	return err
}

// Usage returns the units that run with memory, CPU time and tasks as they are now.
func (c *Client) Usage(ctx context.Context) ([]hub.Unit, error) {
	var out struct {
		Units []hub.Unit `json:"units"`
	}
	err := c.call(ctx, "Usage", nil, &out)
	return out.Units, err
}

// Ended returns what runs that are over consumed in all, as far as anybody still knows: of at most 100 invocations.
func (c *Client) Ended(ctx context.Context, invocations []string) ([]hub.Ended, error) {
	in := struct {
		Invocations []string `json:"invocation_ids"`
	}{invocations}
	var out struct {
		Runs []hub.Ended `json:"runs"`
	}
	err := c.call(ctx, "Ended", in, &out)
	return out.Runs, err
}

// Headroom returns what the machine has left for further servers.
func (c *Client) Headroom(ctx context.Context) (hub.Headroom, error) {
	var out struct {
		Headroom hub.Headroom `json:"headroom"`
	}
	err := c.call(ctx, "Headroom", nil, &out)
	return out.Headroom, err
}

// Profiles returns the profiles that the user may choose.
func (c *Client) Profiles(ctx context.Context, user string) ([]hub.Offer, error) {
	in := struct {
		User string `json:"user"`
	}{user}
	var out struct {
		Profiles []hub.Offer `json:"profiles"`
	}
	err := c.call(ctx, "Profiles", in, &out)
	return out.Profiles, err
}

// Explain returns how the server would start now, and which file says so. It refuses what Start would refuse.
func (c *Client) Explain(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Explanation, error) {
	var out struct {
		Explanation hub.Explanation `json:"explanation"`
	}
	err := c.call(ctx, "Explain", choice{ref, profile, options}, &out)
	return out.Explanation, err
}

// Limit changes what is given of a server's limits and returns what holds then. Nil limits are those of root's file again.
// It is Forbidden over what root's file allows, TooLarge over what the machine has, and NotRunning for a server that does
// not run, unless the change is for good.
func (c *Client) Limit(ctx context.Context, ref hub.ServerRef, limits *hub.Limits, forGood bool) (hub.Limits, error) {
	in := struct {
		hub.ServerRef
		Limits  *hub.Limits `json:"limits"`
		ForGood bool        `json:"for_good"`
	}{ref, limits, forGood}
	var out struct {
		Limits hub.Limits `json:"limits"`
	}
	err := c.call(ctx, "Limit", in, &out)
	return out.Limits, err
}

// Freeze lays the server to sleep and returns once no process of it runs. It is NotRunning unless the unit is active, and
// has a Cause of kind CauseCannotFreeze where the machine cannot.
func (c *Client) Freeze(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	return c.unit(ctx, "Freeze", ref)
}

// Thaw wakes the server and returns once it runs. One that is awake is no error.
func (c *Client) Thaw(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	return c.unit(ctx, "Thaw", ref)
}

func (c *Client) unit(ctx context.Context, verb string, in any) (hub.Unit, error) {
	var out struct {
		Unit hub.Unit `json:"unit"`
	}
	err := c.call(ctx, verb, in, &out)
	return out.Unit, err
}

// Journal returns at most the given number of lines that the newest run of the server left in the journal.
func (c *Client) Journal(ctx context.Context, ref hub.ServerRef, lines int) ([]string, error) {
	in := struct {
		hub.ServerRef
		Lines int `json:"lines"`
	}{ref, lines}
	var out struct {
		Lines []string `json:"lines"`
	}
	err := c.call(ctx, "Journal", in, &out)
	return out.Lines, err
}

// Check returns what is missing on the machine, each a sentence that names the remedy.
func (c *Client) Check(ctx context.Context) ([]string, error) {
	var out struct {
		Findings []string `json:"findings"`
	}
	err := c.call(ctx, "Check", nil, &out)
	return out.Findings, err
}

// CheckConfiguration returns every mistake that would make Reload fail, as one error.
func (c *Client) CheckConfiguration(ctx context.Context) error {
	return c.call(ctx, "CheckConfiguration", nil, nil)
}

// Reload makes the spawner read root's configuration again. It says what changed for servers started from now on.
func (c *Client) Reload(ctx context.Context) ([]string, error) {
	var out struct {
		Changes []string `json:"changes"`
	}
	err := c.call(ctx, "Reload", nil, &out)
	return out.Changes, err
}

// ApplyServices makes the services of root's configuration run as it says, and returns how they are.
func (c *Client) ApplyServices(ctx context.Context) ([]hub.ServiceUnit, error) {
	var out struct {
		Services []hub.ServiceUnit `json:"services"`
	}
	err := c.call(ctx, "ApplyServices", nil, &out)
	return out.Services, err
}

// call makes one call on a connection of its own: a start may take a minute, and another call must not wait for it.
func (c *Client) call(ctx context.Context, method string, in, out any) error {
	conn, err := varlink.Dial(ctx, c.path)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Call(ctx, spawnerInterface+method, in, out)
}
