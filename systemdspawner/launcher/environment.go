package launcher

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// environment is what the unit's first process finds beside systemd's own HOME, USER, LOGNAME and SHELL. Everybody on the
// machine can read it over the bus: who the server is comes by credential alone.
func environment(o Order, c Composition) []string {
	s := o.Settings
	env := map[string]string{"PATH": searchPath(o)}
	if o.Person.Guest { // whose account nobody can ask for a home
		env["HOME"], env["SHELL"] = o.Person.Account.Home, o.Person.Account.Shell
	}
	for name, value := range s.Environment {
		env[name] = value
	}
	if s.MemLimit > 0 {
		env["MEM_LIMIT"] = strconv.FormatInt(s.MemLimit, 10)
	}
	if s.CPULimit > 0 {
		env["CPU_LIMIT"] = cpus(s.CPULimit)
	}
	if s.MemGuarantee > 0 {
		env["MEM_GUARANTEE"] = strconv.FormatInt(s.MemGuarantee, 10)
	}
	if s.CPUGuarantee > 0 {
		env["CPU_GUARANTEE"] = cpus(s.CPUGuarantee)
	}
	if s.Shell != "" {
		env["SHELL"] = s.Shell
	}
	if s.NotebookDir != "" {
		env["JUPYTERHUB_ROOT_DIR"] = s.NotebookDir
	}
	if s.DefaultURL != "" {
		env["JUPYTERHUB_DEFAULT_URL"] = s.DefaultURL
	}
	if s.DisableUserConfig {
		env["JUPYTERHUB_DISABLE_USER_CONFIG"] = "1"
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+replacer(o, c.Socket).Replace(env[name]))
	}
	return list
}

// searchPath is PATH: what the configuration puts first, and the directory of the command, so that a server in an
// environment of its own finds what was installed with it.
func searchPath(o Order) string {
	dirs := append(slices.Clone(o.Settings.ExtraPaths), filepath.Dir(o.Command))
	for _, dir := range o.Settings.SearchPath {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, ":")
}

// cpus writes a number of CPUs as Python does, "2.0": programs that read CPU_LIMIT know JupyterHub's form.
func cpus(n float64) string {
	s := strconv.FormatFloat(n, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// replacer fills in what root's texts may say of the account; {USERNAME} is systemdspawner's way to write it. One pass: what it puts in is not looked at again.
func replacer(o Order, socket string) *strings.Replacer {
	return strings.NewReplacer("{username}", o.User, "{USERNAME}", o.User, "{account}", o.Person.Account.Name,
		"{home}", o.Person.Account.Home, "{socket}", socket)
}

// fill does so in a table of properties.
func fill(table map[string]any, o Order, socket string) map[string]any {
	r := replacer(o, socket)
	filled := make(map[string]any, len(table))
	for name, value := range table {
		if strings.HasPrefix(name, "ExecStart") {
			filled[name] = fillCommands(value, r)
			continue
		}
		switch v := value.(type) {
		case string:
			filled[name] = r.Replace(v)
		case []string:
			list := make([]string, len(v))
			for i, s := range v {
				list[i] = r.Replace(s)
			}
			filled[name] = list
		default:
			filled[name] = value
		}
	}
	return filled
}
