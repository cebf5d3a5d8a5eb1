package account

import "jupyterhubd/hub"

// Aliases are the names by which the hub knows accounts, by the account's own name. An account that is not among them is known
// by its own; with none at all every account is.
//
// No name is given to two accounts (the reader of the configuration refuses such a table). So one account is one user, and User
// and Account are each other's inverse.
type Aliases map[string]string

// User returns the name by which the hub knows an account. It refuses, with Forbidden, an account whose own name is another's here.
func (a Aliases) User(name string) (string, error) {
	if user, is := a[name]; is {
		return user, nil
	}
	if other, taken := a.called(name); taken {
		return "", hub.Errorf(hub.Forbidden, "%q is what username_map calls %q; give the account %q a name there as well", name, other, name)
	}
	return name, nil
}

// Account returns the account that is known by a name. It refuses, with NotFound, the own name of an account that has another here.
func (a Aliases) Account(user string) (string, error) {
	if name, is := a.called(user); is {
		return name, nil
	}
	if other, renamed := a[user]; renamed {
		return "", hub.Errorf(hub.NotFound, "the account %q is the user %q here", user, other)
	}
	return user, nil
}

func (a Aliases) called(user string) (name string, is bool) {
	for name, alias := range a {
		if alias == user {
			return name, true
		}
	}
	return "", false
}
