package hub

// Explanation says how a server would start now, and why so.
type Explanation struct {
	Unit       string     `json:"unit"`
	Slice      string     `json:"slice"`
	Profile    string     `json:"profile,omitempty"`
	Command    []string   `json:"command"`
	Settings   []Provided `json:"settings"`   // options of root's file, in the order of the manual
	Properties []Provided `json:"properties"` // of the unit, by systemd's names, in the order in which they count
}

// Provided is one value and where it comes from: "file:line", "default", a drop-in's file and line, or "jupyterhub limit".
type Provided struct {
	Name   string `json:"name"`   // mem_limit, or MemoryMax
	Value  string `json:"value"`  // as it would be written in root's file, or in a unit file
	Origin string `json:"origin"` // the place that says so
}
