package spawnertest_test

import (
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
)

func TestFakeKeepsThePromisesOfASpawner(t *testing.T) {
	cast := spawnertest.Cast{User: "alice", Other: "bob", Unknown: spawnertest.Unknown, Patience: 10 * time.Second,
		Kill: func(_ *testing.T, s spawner.Spawner, u hub.Unit) {
			fake := s.(*spawnertest.Fake)
			fake.Script(u.ServerRef, spawnertest.Script{JournalTime: time.Millisecond})
			fake.Die(u.ServerRef, &hub.Cause{Kind: hub.CauseSignal, Message: "It was killed."})
		}}
	spawnertest.Run(t, cast, func(*testing.T) spawner.Spawner { return spawnertest.NewFake() })
	spawnertest.RunSleep(t, cast, func(*testing.T) spawnertest.Sleepy { return spawnertest.NewFake() })
}
