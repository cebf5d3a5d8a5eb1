package web_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// directory is a double that writes down what it is asked.
type directory struct {
	said   []string
	refuse error
}

func (d *directory) NewToken(_ auth.Actor, user, note string, life time.Duration, scopes []string) (string, hub.Token, error) {
	if scopes == nil {
		scopes = []string{"all that the owner may"}
	}
	d.said = append(d.said, strings.Join(append([]string{"make", user, note, life.String()}, scopes...), " "))
	return "0123456789abcdef0123456789abcdef", hub.Token{}, d.refuse
}

// Offer knows one code, which is for bob's server.
func (d *directory) Offer(user, code string) (hub.ShareCode, error) {
	switch {
	case code != "good":
		return hub.ShareCode{}, hub.Errorf(hub.NotFound, "Share not found or expired")
	case user == "bob":
		return hub.ShareCode{}, hub.Errorf(hub.Forbidden, "You can't share with yourself!")
	}
	return hub.ShareCode{Server: hub.ServerRef{User: "bob", Server: "gpu"}, Scopes: []string{"access:servers"}}, nil
}

func (d *directory) AcceptShare(user, code string) (hub.Share, error) {
	c, err := d.Offer(user, code)
	if err == nil {
		d.said = append(d.said, "accept "+user+" "+code)
	}
	return hub.Share{Server: c.Server, User: user}, err
}

func (d *directory) RevokeToken(user, id string) error {
	d.said = append(d.said, "revoke "+user+" "+id)
	return d.refuse
}

func (d *directory) AddUsers(_ auth.Actor, names []string, admin bool) ([]hub.User, error) {
	d.said = append(d.said, "add "+strings.Join(names, "|")+map[bool]string{true: " as admins"}[admin])
	return nil, d.refuse
}

func (d *directory) SetAdmin(_ auth.Actor, name string, admin bool) error {
	d.said = append(d.said, fmt.Sprintf("%s an admin: %t", name, admin))
	return d.refuse
}

func (d *directory) RenameUser(_ auth.Actor, old, name string) (hub.User, error) {
	d.said = append(d.said, "rename "+old+" to "+name)
	return hub.User{Name: name}, d.refuse
}

func (d *directory) AddGroups(names, users []string) ([]hub.Group, error) {
	d.said = append(d.said, "make groups "+strings.Join(names, "|")+" with "+strings.Join(users, "|"))
	return nil, d.refuse
}

func (d *directory) RemoveGroup(name string) error {
	d.said = append(d.said, "remove group "+name)
	return d.refuse
}

func (d *directory) AddMembers(_ auth.Actor, group string, users []string) (hub.Group, error) {
	d.said = append(d.said, "into "+group+": "+strings.Join(users, "|"))
	return hub.Group{}, d.refuse
}

func (d *directory) RemoveMembers(_ auth.Actor, group string, users []string) (hub.Group, error) {
	d.said = append(d.said, "out of "+group+": "+strings.Join(users, "|"))
	return hub.Group{}, d.refuse
}

func (d *directory) SetProperties(group, properties string) error {
	d.said = append(d.said, "properties of "+group+": "+properties)
	return d.refuse
}

func (d *directory) RemoveUser(_ context.Context, _ auth.Actor, name string) error {
	d.said = append(d.said, "remove "+name)
	return d.refuse
}

func (d *directory) Share(a auth.Actor, wish hub.Share) (hub.Share, error) {
	d.said = append(d.said, fmt.Sprintf("%s shares %s with %s%s: %s", a.Owner.Name, wish.Server, wish.User, wish.Group, strings.Join(wish.Scopes, " ")))
	return wish, d.refuse
}

func (d *directory) Unshare(wish hub.Share) (hub.Share, bool, error) {
	d.said = append(d.said, fmt.Sprintf("take %s back from %s%s", wish.Server, wish.User, wish.Group))
	return hub.Share{}, false, d.refuse
}

func (d *directory) LeaveShare(ref hub.ServerRef, user, group string) error {
	d.said = append(d.said, fmt.Sprintf("%s%s gives up %s", user, group, ref))
	return d.refuse
}

func (d *directory) NewShareCode(a auth.Actor, ref hub.ServerRef, scopes []string, life time.Duration) (string, hub.ShareCode, error) {
	d.said = append(d.said, fmt.Sprintf("%s makes a code for %s, %s: %s", a.Owner.Name, ref, life, strings.Join(scopes, " ")))
	return "the-code", hub.ShareCode{}, d.refuse
}

func (d *directory) RevokeShareCode(ref hub.ServerRef, id string) error {
	d.said = append(d.said, fmt.Sprintf("revoke %s of %s", id, ref))
	return d.refuse
}
