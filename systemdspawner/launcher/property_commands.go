package launcher

import (
	"path/filepath"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// asCommands takes command lines that run beside the server's own, as its user and in its sandbox: words with spaces between them.
// Variables are not among them, since systemd 252 does not find them again after a daemon-reload. A "-" before one: it may fail. The other signs that systemd knows there are for a drop-in: with "+" root would run it.
func asCommands(name string, value any) ([]sd.Property, error) {
	commands, err := commandLines(value)
	if err != nil {
		return nil, err
	}
	return one(name, commands), nil
}

func commandLines(value any) ([]command, error) {
	switch v := value.(type) {
	case []command:
		return v, nil
	case string:
		return commandLines([]string{v})
	case []string:
		commands := make([]command, 0, len(v))
		for _, text := range v {
			line, mayFail := strings.CutPrefix(text, "-")
			words := strings.Fields(line)
			if len(words) == 0 || !filepath.IsAbs(words[0]) && !strings.HasPrefix(words[0], "{home}/") || strings.ContainsAny(line, "\"'\\$\x00\n") {
				return nil, hub.Errorf(hub.Invalid, "holds %q; it wants a program by its whole path, and arguments without quotes and variables: "+
					`"/usr/local/bin/prepare {username}", with "-" before it if it may fail`, text)
			}
			commands = append(commands, command{words[0], words, mayFail})
		}
		return commands, nil
	}
	return nil, hub.Errorf(hub.Invalid, "wants a command line, or a list of them")
}

// fillCommands fills in the words of command lines, each by itself: a name with a space in it is no second word, and one with "$" no
// variable.
func fillCommands(value any, r *strings.Replacer) any {
	commands, err := commandLines(value)
	if err != nil {
		return value // which is told by who reads it
	}
	filled := make([]command, len(commands))
	for i, c := range commands {
		argv := make([]string, len(c.Argv))
		for j, word := range c.Argv {
			if argv[j] = r.Replace(word); argv[j] != word {
				argv[j] = literal(argv[j : j+1])[0]
			}
		}
		filled[i] = command{r.Replace(c.Path), argv, c.IgnoreFailure}
	}
	return filled
}
