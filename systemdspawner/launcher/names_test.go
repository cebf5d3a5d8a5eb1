package launcher

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
)

// Whose name username_pattern does not admit gets no server, whatever the hub says.
func TestNamesWithoutAServer(t *testing.T) {
	l, p := house(Policy{Rules: account.Rules{AllowAll: true, Names: account.Names("ali")}}, alice, bob)
	if _, err := l.person(t.Context(), p, "alice"); err != nil {
		t.Error(err)
	}
	if _, err := l.person(t.Context(), p, "bob"); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("bob: %v", err)
	}
}
