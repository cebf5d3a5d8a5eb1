package launcher

import (
	"math"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// limits are what one server may use, and what it is promised.
func limits(s Settings) []sd.Property {
	all := []sd.Property{
		prop("MemoryAccounting", true),
		prop("CPUAccounting", true),
		prop("TasksAccounting", true),
		prop("IOAccounting", true),
		prop("OOMPolicy", "continue"), // the greedy kernel dies; JupyterLab and the other kernels go on
	}
	all = append(all, limitProperties(s.limits())...)
	if s.MemGuarantee > 0 {
		all = append(all, prop("MemoryMin", uint64(s.MemGuarantee)))
	}
	if s.SwapLimit != nil {
		all = append(all, prop("MemorySwapMax", uint64(*s.SwapLimit)))
	}
	if s.RuntimeMax > 0 {
		all = append(all, prop("RuntimeMaxUSec", uint64(s.RuntimeMax.Microseconds())))
	}
	return all
}

// limits returns those of the settings that can change while the server runs.
func (s Settings) limits() hub.Limits {
	l := hub.Limits{
		MemoryMax: s.MemLimit, MemoryHigh: s.MemHigh, CPUQuota: s.CPULimit, CPUWeight: s.CPUWeight, IOWeight: s.IOWeight, TasksMax: s.TasksMax,
	}
	if l.CPUWeight == 0 && s.CPUGuarantee > 0 {
		l.CPUWeight = min(maxWeight, max(1, int64(math.Round(s.CPUGuarantee*weightOfCPU))))
	}
	return l
}

// Weights as systemd has them (cgroup v2). A CPU that is guaranteed weighs as much as a unit of which nothing is said.
const (
	weightOfCPU = 100
	maxWeight   = 10000
)

// limitProperties are the bus's forms of limits, where there are any.
func limitProperties(l hub.Limits) []sd.Property {
	var all []sd.Property
	add := func(name string, n int64) {
		if n > 0 {
			all = append(all, prop(name, uint64(n)))
		}
	}
	add("MemoryMax", l.MemoryMax)
	add("MemoryHigh", l.MemoryHigh)
	add("CPUQuotaPerSecUSec", int64(l.CPUQuota*1e6))
	add("CPUWeight", l.CPUWeight)
	add("IOWeight", l.IOWeight)
	add("TasksMax", l.TasksMax)
	return all
}

// everyLimit is limitProperties with what is not limited said as such: it takes away what was set before. A weight that is
// not set is infinity on the bus.
func everyLimit(l hub.Limits) []sd.Property {
	all := []sd.Property{}
	set := limitProperties(l)
	for _, name := range []string{"MemoryMax", "MemoryHigh", "CPUQuotaPerSecUSec", "CPUWeight", "IOWeight", "TasksMax"} {
		p := prop(name, uint64(infinity))
		for _, s := range set {
			if s.Name == name {
				p = s
			}
		}
		all = append(all, p)
	}
	return all
}

// networks are the addresses that servers reach and do not.
func networks(s Settings) ([]sd.Property, error) {
	var all []sd.Property
	for _, list := range []struct {
		name  string
		words []string
	}{{"IPAddressAllow", s.AddressAllow}, {"IPAddressDeny", s.AddressDeny}} {
		if len(list.words) == 0 {
			continue
		}
		some, err := asNetworks(list.name, list.words)
		if err != nil {
			return nil, hub.Errorf(hub.Invalid, "%s %w", list.name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}
