package account

import (
	"context"
	"errors"
	"strings"

	"jupyterhubd/hub"
)

// Locked reports whether an administrator has locked the account's password: `usermod -L`, `passwd -l`. PAM's account phase
// does not look at that, since a key or a ticket may open such an account still; a login of ours cannot. An account that never had a
// password ("!", "*"), or that has no shadow entry because another source keeps its password, is not locked. It asks for the
// shadow database, which is root's.
func (n NSS) Locked(ctx context.Context, name string) (bool, error) {
	name, err := Clean(name)
	if err != nil {
		return false, err
	}
	ctx, cancel := n.limit(ctx)
	defer cancel()
	text, err := n.line(ctx, "shadow", name)
	if hub.KindOf(err) == hub.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	locked, err := parseShadow(text)
	if err != nil {
		return false, away(err)
	}
	return locked, nil
}

// parseShadow reads one line of shadow(5) and says whether its hash was made useless.
func parseShadow(text string) (locked bool, err error) {
	line, whole := strings.CutSuffix(text, "\n")
	fields := strings.Split(line, ":")
	if !whole || strings.Contains(line, "\n") || len(fields) != 9 {
		return false, errors.New("the answer is not one line of shadow")
	}
	hash := strings.TrimLeft(fields[1], "!")
	return hash != fields[1] && hash != "" && hash != "*", nil
}
