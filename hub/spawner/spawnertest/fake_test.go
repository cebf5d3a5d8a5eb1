package spawnertest_test

import (
	"testing"
	"time"

	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
)

func TestFakeKeepsThePromisesOfASpawner(t *testing.T) {
	cast := spawnertest.Cast{User: "alice", Other: "bob", Unknown: spawnertest.Unknown, Patience: 10 * time.Second}
	spawnertest.Run(t, cast, func(*testing.T) spawner.Spawner { return spawnertest.NewFake() })
	spawnertest.RunSleep(t, cast, func(*testing.T) spawnertest.Sleepy { return spawnertest.NewFake() })
}
