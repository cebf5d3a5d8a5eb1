package hub

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
