package main

import (
	"testing"
	"time"
)

func TestServersUsage(t *testing.T) {
	m := newMachine(t, "")
	m.http("admin.sock", map[string]string{
		"GET /hub/api/usage": `{"bob/":{"unit":"jupyter-bob.service","uid":1001},"alice/gpu":{"unit":"jupyter-alice-gpu.service","uid":1000,"memory_bytes":1610612736,
			"memory_peak_bytes":2147483648,"swap_bytes":0,"tasks":12,"tasks_peak":40,"cpu_nanoseconds":61000000000,"io_read_bytes":4194304,"io_written_bytes":1048576}}`,
	})
	compare(t, m.run("servers", "usage", "--over", "0"), `
SERVER     MEMORY  PEAK  SWAP  TASKS  PEAK  CPU   CPUS NOW  READ  PER S  WRITTEN  PER S
alice/gpu  1536M   2G    0     12     40    1m1s  -         4M    -      1M       -
bob/       -       -     -     -      -     -     -         -     -      -        -
[0]
`)
	compare(t, m.run("servers", "usage", "--over", "1ms"), `
SERVER     MEMORY  PEAK  SWAP  TASKS  PEAK  CPU   CPUS NOW  READ  PER S  WRITTEN  PER S
alice/gpu  1536M   2G    0     12     40    1m1s  0.00      4M    0      1M       0
bob/       -       -     -     -      -     -     -         -     -      -        -
[0]
`)
	compare(t, m.run("servers", "usage", "--over", "-1s"), `
jupyterhub: error: --over is a span from 0 to 1h0m0s
[1]
`)
}

func TestWhatIsUsedNow(t *testing.T) {
	one, two, three := int64(1<<30), int64(2<<30), int64(4e9)
	for got, want := range map[string]string{
		processors(&one, &three, 2*time.Second): "1.46",
		pace(&one, &two, 4*time.Second):         "256M",
		pace(&two, &one, time.Second) + " ":     "- ", // it was started anew
		pace(nil, &one, time.Second) + "  ":     "-  ",
		processors(&one, &two, 0) + "   ":       "-   ",
	} {
		if got != want {
			t.Errorf("said is %q, want %q", got, want)
		}
	}
}
