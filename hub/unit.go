package hub

import "time"

// Unit is a systemd unit that runs a server, as root's side reports it.
type Unit struct {
	ServerRef
	Name       string    `json:"unit"`              // jupyter-alice.service
	UID        int64     `json:"uid"`               // of the account it runs as, looked up on root's side
	Account    string    `json:"account,omitempty"` // its name, where root's file lets servers run as another one than the user's own
	Socket     string    `json:"socket"`            // where the server listens: /run/jupyter/<16 hex>/s
	State      UnitState `json:"state"`
	Listening  bool      `json:"listening"` // the socket is there
	Invocation string    `json:"invocation_id"`
	Since      time.Time `json:"since,omitzero"`   // when it became active
	Until      time.Time `json:"until,omitzero"`   // when it is going to be ended because its time is over
	Memory     int64     `json:"memory_bytes"`     // now; -1 unknown
	CPU        int64     `json:"cpu_nanoseconds"`  // consumed since the start; -1 unknown
	Tasks      int64     `json:"tasks"`            // now; -1 unknown
	Frozen     bool      `json:"frozen,omitempty"` // it sleeps: no process of it gets a turn until it is thawed
	Used       *Usage    `json:"used,omitempty"`   // what Usage tells besides; nil elsewhere
	Cause      *Cause    `json:"cause,omitempty"`  // why it ended, when it ended badly
}

// Usage is what a unit consumed so far, and its limits. Numbers of bytes; -1 where a number is not known.
type Usage struct {
	MemoryPeak int64  `json:"memory_peak_bytes"` // the most at any moment
	Swap       int64  `json:"swap_bytes"`        // now
	TasksPeak  int64  `json:"tasks_peak"`
	IORead     int64  `json:"io_read_bytes"`
	IOWritten  int64  `json:"io_written_bytes"`
	Limits     Limits `json:"limits"`
}

// UnitState is systemd's ActiveState, as far as it matters here.
type UnitState string

// The states of a unit.
const (
	UnitActivating   UnitState = "activating"
	UnitActive       UnitState = "active"
	UnitDeactivating UnitState = "deactivating"
	UnitInactive     UnitState = "inactive" // gone without fault
	UnitFailed       UnitState = "failed"
)

// Alive reports whether processes of the unit may exist.
func (s UnitState) Alive() bool {
	return s == UnitActivating || s == UnitActive || s == UnitDeactivating
}

// Headroom is what the machine that runs servers has left. Pressure is the share of the last ten seconds in which work stood
// still for want of something, in per cent (the kernel's PSI, avg10): all of it for memory and IO ("full"), some of it for
// the CPU. -1 is not known.
type Headroom struct {
	Memory         int64   `json:"memory_bytes"` // that can be had without swapping
	MemoryPressure float64 `json:"memory_pressure"`
	IOPressure     float64 `json:"io_pressure"`
	CPUPressure    float64 `json:"cpu_pressure"`
}

// Inventory is all our units at one moment, the level that the workshop reconciles from.
type Inventory struct {
	BootID string `json:"boot_id"`
	Units  []Unit `json:"units"`
}

// Cause says why a server did not start or did not go on: one sentence for its user, the rest for an admin.
type Cause struct {
	Kind       CauseKind `json:"kind"`
	Message    string    `json:"message"`          // a sentence for the user, with what to do
	Detail     string    `json:"detail,omitempty"` // systemd's own words: Result=exit-code, status=203/EXEC
	ExitStatus int       `json:"exit_status,omitempty"`
	Signal     string    `json:"signal,omitempty"` // SIGKILL
	Unit       string    `json:"unit,omitempty"`
	Invocation string    `json:"invocation_id,omitempty"`
	Journal    []string  `json:"journal,omitempty"` // last lines of that invocation, control characters removed
	Partial    bool      `json:"partial,omitempty"` // the journal is still being read: the cause of this invocation is told again, with what it says
	At         time.Time `json:"at,omitzero"`
}

// CauseKind names a class of failure.
type CauseKind string

// The classes of failure.
const (
	CauseMissingCommand CauseKind = "missing-command"
	CauseExited         CauseKind = "exited"
	CauseSignal         CauseKind = "signal"
	CauseOutOfMemory    CauseKind = "out-of-memory"
	CauseTasks          CauseKind = "too-many-tasks"
	CauseMissingHome    CauseKind = "missing-home"
	CauseFullHome       CauseKind = "full-home"         // no room on its disk, or no quota left
	CauseOwnConfig      CauseKind = "own-configuration" // Jupyter cannot read the user's own configuration
	CauseMissingDevice  CauseKind = "missing-device"    // a device that the profile promises is not there
	CauseSandbox        CauseKind = "sandbox"           // the kernel cannot do what the sandbox asks, or the sandbox forbade a call
	CausePAM            CauseKind = "pam"               // a drop-in has PAMName=, and its stack refused
	CauseNoRoom         CauseKind = "no-room"           // the machine cannot hold what the server is guaranteed
	CauseCannotFreeze   CauseKind = "cannot-freeze"     // the kernel or systemd of this machine cannot; let it run, or stop it
	CauseTimeout        CauseKind = "timeout"
	CauseCredential     CauseKind = "credential"
	CauseAccount        CauseKind = "account"    // no such account, or root's rules do not admit it
	CauseNameClash      CauseKind = "name-clash" // an admin's own unit file has the name
	CauseShutdown       CauseKind = "shutdown"   // the machine went down: no failure, and the wish stays
	CauseVanished       CauseKind = "vanished"   // wished and gone, with nothing to tell why
	CauseSystem         CauseKind = "system"     // systemd or a helper refused
)

// ServiceUnit is a systemd unit that runs a service of the configuration.
type ServiceUnit struct {
	Service string    `json:"service"`
	Name    string    `json:"unit"` // jupyterhub-service-grader.service
	State   UnitState `json:"state"`
	Problem string    `json:"problem,omitempty"` // why it does not run, for an admin
}
