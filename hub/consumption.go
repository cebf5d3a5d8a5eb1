package hub

import "time"

// Consumption is what a user's servers used of the machine in one day.
type Consumption struct {
	User        string  `json:"user"`
	Day         string  `json:"day"`          // 2026-11-24, as the machine's clock on the wall has it
	CPUSeconds  float64 `json:"cpu_seconds"`  // processor time
	MemoryHours float64 `json:"gib_hours"`    // GiB of memory, times hours
	ServerHours float64 `json:"server_hours"` // hours of servers that ran
}

// DayFormat is how a Consumption's day is written (time.Format).
const DayFormat = "2006-01-02"

// Plus returns the sum of two consumptions, with the first's user and day.
func (c Consumption) Plus(d Consumption) Consumption {
	c.CPUSeconds += d.CPUSeconds
	c.MemoryHours += d.MemoryHours
	c.ServerHours += d.ServerHours
	return c
}

// Counted is how much of one run of a server is in its user's account already. Processor time is counted by systemd from the run's
// beginning, so that nothing is lost however long nobody looks.
type Counted struct {
	Invocation string    `json:"invocation_id"`
	CPU        int64     `json:"cpu_nanoseconds"`
	Memory     int64     `json:"memory_bytes"` // as it was at that moment; -1 unknown
	At         time.Time `json:"at"`
}

// Ended is a run that is over, as systemd noted it down, or the unit's last process.
type Ended struct {
	Invocation string    `json:"invocation_id"`
	CPU        int64     `json:"cpu_nanoseconds"`   // in all
	Memory     int64     `json:"memory_peak_bytes"` // the most at any moment; -1 unknown
	At         time.Time `json:"at"`
}
