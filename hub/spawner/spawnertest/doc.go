// Package spawnertest is for those who write or use a Spawner: a suite of tests that says what is expected of one, and a
// double that plays one.
//
// It owns the meaning of the interface spawner.Spawner where its types leave room: what a second start answers, in which
// order changes are told, what an inventory holds. The double passes the suite, and so must everything that takes its
// place: the client of jupyterhub-spawnd in the testbed, or somebody's own program behind that socket.
//
// It must not know how units come to be, nor anything of the Manager.
//
// Way in: Run in a test function, and RunSleep where servers can sleep; NewFake in a test of whoever calls a Spawner. Way out: testing.T.
//
// Caveat: the Fake starts no goroutine of its own, only timers, so it may live in a testing/synctest bubble.
package spawnertest
