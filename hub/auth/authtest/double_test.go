package authtest

import (
	"testing"

	"jupyterhubd/hub"
)

func TestTheDoubleKeepsTheRules(t *testing.T) {
	Run(t, NewDouble(), DoubleCast())
}

func TestThePasswdDoorChangesAnExpiredPassword(t *testing.T) {
	d := NewDouble()
	s := suite{Authenticator: d}
	if _, err := s.login(t, Person{"carol", []string{"old"}}); hub.KindOf(err) != hub.Expired {
		t.Fatal(err)
	}
	passwd := suite{Authenticator: d.Changer()}
	if _, err := passwd.login(t, Person{"carol", []string{"old", "fresh", "frosh"}}); hub.KindOf(err) != hub.Invalid {
		t.Fatal(err)
	}
	if _, err := passwd.login(t, Person{"carol", []string{"old", "fresh", "fresh"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.login(t, Person{"carol", []string{"fresh"}}); err != nil {
		t.Error(err)
	}
}
