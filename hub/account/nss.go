package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"

	"jupyterhubd/hub"
)

// Limits of one question to the name service.
const (
	defaultGetent = "/usr/bin/getent"
	defaultTime   = 10 * time.Second // a directory server far away, or SSSD that has just started
	maxLine       = 128 << 10        // bytes of one passwd line, or of the gids of one account
	gidsAtOnce    = 128              // arguments of one getent group
)

// exitNotFound is getent's status for a key that no source knows.
const exitNotFound = 2

// NSS asks the machine's name service. The zero value is ready to use.
type NSS struct {
	Getent  string        // path of getent; empty means /usr/bin/getent
	Timeout time.Duration // for one whole look-up; zero means ten seconds
}

// Lookup returns the account that name stands for: NotFound when there is none, Invalid when name cannot be an account's
// (see Clean), Unavailable when the name service does not answer in time or not in order.
//
// The account's Name is canonical: the name that its uid has, whatever was typed. So ALICE (where the source ignores
// case), alice@example.org and a second name of one uid are all one account.
func (n NSS) Lookup(ctx context.Context, name string) (hub.Account, error) {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	a, err := n.Person(ctx, name)
	if err != nil {
		return hub.Account{}, err
	}
	return n.withGroups(ctx, a)
}

// Person is Lookup without the groups, which are half of its questions: for rules that name no group.
func (n NSS) Person(ctx context.Context, name string) (hub.Account, error) {
	name, err := Clean(name)
	if err != nil {
		return hub.Account{}, err
	}
	ctx, cancel := n.limit(ctx)
	defer cancel()
	typed, err := n.passwd(ctx, name)
	if err != nil {
		return hub.Account{}, err
	}
	a, err := n.passwd(ctx, strconv.FormatInt(typed.UID, 10))
	if hub.KindOf(err) == hub.NotFound {
		return typed, nil // a source that answers for names alone
	}
	if err == nil && a.UID != typed.UID {
		err = away(fmt.Errorf("asked for uid %d, the name service answered for uid %d", typed.UID, a.UID))
	}
	if err != nil {
		return hub.Account{}, err
	}
	return a, nil
}

// ByUID returns the account of a uid, with the same errors as Lookup.
func (n NSS) ByUID(ctx context.Context, uid int64) (hub.Account, error) {
	if uid < 0 || uid >= 1<<32-1 {
		return hub.Account{}, hub.Errorf(hub.NotFound, "no account has uid %d", uid)
	}
	ctx, cancel := n.limit(ctx)
	defer cancel()
	a, err := n.passwd(ctx, strconv.FormatInt(uid, 10))
	if err != nil {
		return hub.Account{}, err
	}
	if a.UID != uid {
		return hub.Account{}, away(fmt.Errorf("asked for uid %d, the name service answered for uid %d", uid, a.UID))
	}
	return n.withGroups(ctx, a)
}

// UID returns the uid of an account by one question, for a system account that a program knows by name; Clean is applied.
func (n NSS) UID(ctx context.Context, name string) (int64, error) {
	name, err := Clean(name)
	if err != nil {
		return hub.NoUID, err
	}
	ctx, cancel := n.limit(ctx)
	defer cancel()
	a, err := n.passwd(ctx, name)
	if err != nil {
		return hub.NoUID, err
	}
	return a.UID, nil
}

// GroupID returns the gid of a group by its name; Clean is applied to that, since getent reads a number as a gid.
func (n NSS) GroupID(ctx context.Context, name string) (int64, error) {
	name, err := Clean(name)
	if err != nil {
		return hub.NoUID, err
	}
	ctx, cancel := n.limit(ctx)
	defer cancel()
	found, err := n.groups(ctx, name)
	if err != nil {
		return hub.NoUID, err
	}
	for gid := range found {
		return gid, nil
	}
	return hub.NoUID, hub.Errorf(hub.NotFound, "there is no group %q", name)
}

func (n NSS) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if n.Timeout == 0 {
		n.Timeout = defaultTime
	}
	return context.WithTimeout(ctx, n.Timeout)
}

func (n NSS) passwd(ctx context.Context, key string) (hub.Account, error) {
	text, err := n.line(ctx, "passwd", key)
	if err != nil {
		return hub.Account{}, err
	}
	a, err := parsePasswd(text)
	if err != nil {
		return hub.Account{}, away(err)
	}
	return a, nil
}

// withGroups fills in the names of the account's groups, the primary one first. A gid without a name is left out: no rule
// could name it.
func (n NSS) withGroups(ctx context.Context, a hub.Account) (hub.Account, error) {
	text, err := n.line(ctx, "initgroups", a.Name)
	if err != nil {
		return hub.Account{}, err
	}
	more, err := parseInitgroups(a.Name, text)
	if err != nil {
		return hub.Account{}, away(err)
	}
	gids := []int64{a.GID}
	for _, gid := range more {
		if gid != a.GID {
			gids = append(gids, gid)
		}
	}
	for len(gids) > 0 {
		some := gids[:min(len(gids), gidsAtOnce)]
		gids = gids[len(some):]
		names, err := n.groups(ctx, numbers(some)...)
		if err != nil {
			return hub.Account{}, err
		}
		for _, gid := range some {
			if names[gid] != "" {
				a.Groups = append(a.Groups, names[gid])
			}
		}
	}
	return a, nil
}

// line asks for one key and returns what getent prints.
func (n NSS) line(ctx context.Context, database, key string) (string, error) {
	var text short
	err := n.ask(ctx, &text, database, key)
	return text.text.String(), err
}

// groups asks for the names of some groups, by gid or by name. getent says "not found" when one of them is not there,
// having printed the others, so that status is no error here.
func (n NSS) groups(ctx context.Context, keys ...string) (map[int64]string, error) {
	found := groupNames{names: map[int64]string{}}
	err := n.ask(ctx, &found, "group", keys...)
	if err != nil && hub.KindOf(err) != hub.NotFound {
		return nil, err
	}
	return found.names, nil
}

func numbers(ids []int64) []string {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = strconv.FormatInt(id, 10)
	}
	return keys
}

// ask runs getent once and hands its output to out, whose error ends the child. The child is always waited for.
func (n NSS) ask(ctx context.Context, out io.Writer, database string, keys ...string) error {
	if n.Getent == "" {
		n.Getent = defaultGetent
	}
	cmd := exec.CommandContext(ctx, n.Getent, append([]string{"--", database}, keys...)...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.Stdout = out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitNotFound {
		return hub.Errorf(hub.NotFound, "there is no such account")
	}
	if err != nil {
		return away(fmt.Errorf("getent %s: %w", database, errors.Join(err, context.Cause(ctx))))
	}
	return nil
}

// short keeps at most maxLine bytes and refuses more. The buffer is not embedded: io.Copy would find its ReadFrom, which
// has no limit.
type short struct{ text bytes.Buffer }

func (s *short) Write(piece []byte) (int, error) {
	if s.text.Len()+len(piece) > maxLine {
		return 0, errors.New("the answer is longer than any that is read")
	}
	return s.text.Write(piece)
}

// away wraps what went wrong at the name service; the detail is for the log.
func away(err error) error {
	return &hub.Error{Kind: hub.Unavailable, Text: "the system's list of accounts does not answer just now", Err: err}
}
