package hub

// Limits are those of a server that can change while it runs. The zero value of a field means none, or systemd's default;
// in a request to change some it means that this one stays as it is.
type Limits struct {
	MemoryMax  int64   `json:"memory_max,omitempty"`  // bytes; over it the kernel kills
	MemoryHigh int64   `json:"memory_high,omitempty"` // bytes; over it the kernel slows down and takes back
	CPUQuota   float64 `json:"cpu_quota,omitempty"`   // CPUs
	CPUWeight  int64   `json:"cpu_weight,omitempty"`  // 1 to 10000 of the CPU that others want too; 100 is the default
	IOWeight   int64   `json:"io_weight,omitempty"`   // likewise of the disk
	TasksMax   int64   `json:"tasks_max,omitempty"`   // processes and threads
}

// IsZero reports whether nothing is limited, or nothing is to change.
func (l Limits) IsZero() bool { return l == Limits{} }
