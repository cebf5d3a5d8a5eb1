package account

import (
	"bytes"
	"errors"
	"slices"
	"strings"
)

// Limits of what is taken from group lines. The kernel's own limit of groups is 65,536; an account with more than
// maxGroups is refused rather than half understood, because a group may be what blocks it.
const (
	maxGroups    = 4096
	maxGroupHead = 1024     // name, password and gid of one line
	maxMembers   = 64 << 20 // group lines carry their members; they are read past, not kept
)

// parseInitgroups reads getent's line "name   gid gid gid" for exactly that name. The name may hold spaces.
func parseInitgroups(name, text string) ([]int64, error) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), name)
	if !ok || strings.Contains(rest, "\n") || (rest != "" && rest[0] != ' ') {
		return nil, errors.New("the list of groups is for somebody else")
	}
	fields := strings.Fields(rest)
	if len(fields) > maxGroups {
		return nil, errors.New("the account is in too many groups")
	}
	var gids []int64
	for _, f := range fields {
		gid, err := parseID(f)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(gids, gid) {
			gids = append(gids, gid)
		}
	}
	return gids, nil
}

// groupNames reads group(5) lines as they are written to it and keeps the name of each gid. It keeps no member, so that a
// group of a whole university costs no memory.
type groupNames struct {
	names map[int64]string
	head  []byte // of the line being read, at most maxGroupHead bytes
	read  int64
}

// Write takes the next piece of getent's output. A line that is not a group is an error.
func (g *groupNames) Write(piece []byte) (int, error) {
	if g.read += int64(len(piece)); g.read > maxMembers {
		return 0, errors.New("the groups are larger than anything that is read")
	}
	for rest := piece; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		g.head = append(g.head, line[:min(len(line), maxGroupHead-len(g.head))]...)
		if !ended {
			break
		}
		if err := g.endLine(); err != nil {
			return 0, err
		}
		rest = after
	}
	return len(piece), nil
}

func (g *groupNames) endLine() error {
	field := strings.SplitN(string(g.head), ":", 4)
	g.head = g.head[:0]
	if len(field) != 4 {
		return errors.New("a line is not a group")
	}
	gid, err := parseID(field[2])
	if err != nil {
		return err
	}
	if _, err := Clean(field[0]); err == nil && g.names[gid] == "" {
		g.names[gid] = field[0] // a name that no rule could hold is no name
	}
	return nil
}
