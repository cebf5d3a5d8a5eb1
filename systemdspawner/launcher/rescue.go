package launcher

import (
	"maps"

	"jupyterhubd/hub"
)

// The limits of a rescue server, unless what holds for its account is less.
const (
	rescueMemory = 512 << 20
	rescueCPU    = 1.0
	rescueTasks  = 128
)

// rescueEnvironment keeps a server out of a home directory that is full, or whose contents break it: what it must write goes
// to its own /tmp, and neither configuration nor packages of the user's are looked at.
var rescueEnvironment = map[string]string{
	"IPYTHONDIR":          "/tmp/ipython",
	"JUPYTER_CONFIG_DIR":  "/tmp/jupyter/config",
	"JUPYTER_DATA_DIR":    "/tmp/jupyter/data",
	"JUPYTER_RUNTIME_DIR": "/tmp/jupyter/runtime",
	"PYTHONNOUSERSITE":    "1",
}

// rescue returns how a server runs with which its user can mend things: as any other of the account, but small, and
// independent of what is in the home directory. Everybody who may have a server may have this one: it is weaker in every way.
func rescue(s Settings) Settings {
	s.DisableUserConfig = true
	s.MemLimit, s.TasksMax = least(s.MemLimit, rescueMemory), least(s.TasksMax, rescueTasks)
	if s.CPULimit == 0 || s.CPULimit > rescueCPU {
		s.CPULimit = rescueCPU
	}
	s.MemGuarantee, s.CPUGuarantee, s.CPUWeight, s.Max = 0, 0, 0, hub.Limits{}
	env := maps.Clone(s.Environment)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, rescueEnvironment)
	s.Environment = env
	return s
}

// least returns the lower limit, 0 being none.
func least(limit, most int64) int64 {
	if limit == 0 {
		return most
	}
	return min(limit, most)
}

// builtIn returns the settings of a profile that root's file does not define and that is there all the same.
func (p *Policy) builtIn(who Person, profile string) (s Settings, ok bool, err error) {
	if profile != hub.RescueProfile || p.index(profile) >= 0 {
		return Settings{}, false, nil
	}
	s, err = p.Settings(who, Choice{})
	return rescue(s), true, err
}
