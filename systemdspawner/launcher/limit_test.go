package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
)

// Vulnerability: a hub that was taken over gives itself, or a friend, the machine.
// Attack: more than root's file gives, or than it says may be asked for; more than the machine has; numbers without sense.
// Verified: each is refused; what is less goes through.
func TestLimitsAreRaisedUpToWhatRootSays(t *testing.T) {
	plain := Settings{MemLimit: 2 << 30, CPULimit: 2, TasksMax: 100}
	raised := plain
	raised.Max = hub.Limits{MemoryMax: 8 << 30, CPUQuota: 4, CPUWeight: 500}
	open := Settings{}
	bounded := Settings{Max: hub.Limits{MemoryMax: 8 << 30, CPUQuota: 4, TasksMax: 500}}
	machine := capacity{memory: 16 << 30, cpus: 8}
	for name, play := range map[string]struct {
		settings Settings
		change   hub.Limits
		want     hub.Kind
	}{
		"less memory":                 {plain, hub.Limits{MemoryMax: 1 << 30}, 0},
		"as much memory":              {plain, hub.Limits{MemoryMax: 2 << 30}, 0},
		"a byte more":                 {plain, hub.Limits{MemoryMax: 2<<30 + 1}, hub.Forbidden},
		"a byte more, among others":   {plain, hub.Limits{MemoryMax: 2<<30 + 1, CPUQuota: 1}, hub.Forbidden},
		"up to the maximum":           {raised, hub.Limits{MemoryMax: 8 << 30, CPUQuota: 4, CPUWeight: 500}, 0},
		"over the maximum":            {raised, hub.Limits{MemoryMax: 8<<30 + 1}, hub.Forbidden},
		"what has no maximum":         {raised, hub.Limits{TasksMax: 101}, hub.Forbidden},
		"a lower weight":              {plain, hub.Limits{CPUWeight: 50, IOWeight: 1}, 0},
		"a higher weight":             {plain, hub.Limits{CPUWeight: 101}, hub.Forbidden},
		"a higher weight of the disk": {plain, hub.Limits{IOWeight: 101}, hub.Forbidden},
		"what is not limited":         {open, hub.Limits{MemoryMax: 4 << 30, CPUQuota: 8}, 0},
		"not limited, to the maximum": {bounded, hub.Limits{MemoryMax: 8 << 30, CPUQuota: 4, TasksMax: 500}, 0},
		"not limited, over it":        {bounded, hub.Limits{MemoryMax: 8<<30 + 1}, hub.Forbidden},
		"tasks over the maximum":      {bounded, hub.Limits{TasksMax: 4194304}, hub.Forbidden},
		"more than there is":          {open, hub.Limits{MemoryMax: 17 << 30}, hub.TooLarge},
		"more CPUs than there are":    {open, hub.Limits{CPUQuota: 9}, hub.TooLarge},
		"systemd's own default":       {open, hub.Limits{TasksMax: 100}, hub.Forbidden},
		"too little":                  {plain, hub.Limits{MemoryMax: 1}, hub.Invalid},
		"less than none":              {plain, hub.Limits{MemoryMax: -1}, hub.Invalid},
		"no processor":                {plain, hub.Limits{CPUQuota: 0.001}, hub.Invalid},
		"nothing":                     {plain, hub.Limits{}, hub.Invalid},
	} {
		if err := play.settings.allows(play.change, machine); hub.KindOf(err) != play.want || (err == nil) != (play.want == 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever was allowed once, what holds at a start is within what root's file says then.
func TestWhatHoldsIsWithinTheCeiling(t *testing.T) {
	limits := rapid.Custom(func(t *rapid.T) hub.Limits {
		var l hub.Limits
		for _, f := range limitFields {
			f.set(&l, float64(rapid.Int64Range(0, 1<<40).Draw(t, f.option)))
		}
		return l
	})
	rapid.Check(t, func(t *rapid.T) {
		own := limits.Draw(t, "own")
		s := Settings{MemLimit: own.MemoryMax, MemHigh: own.MemoryHigh, CPULimit: own.CPUQuota, CPUWeight: own.CPUWeight,
			IOWeight: own.IOWeight, TasksMax: own.TasksMax, Max: limits.Draw(t, "max")}
		held, ceiling := s.limited(limits.Draw(t, "remembered")).limits(), s.ceiling()
		for _, f := range limitFields {
			if most := f.get(ceiling); most > 0 && f.get(held) > most {
				t.Fatalf("%s is %v, over %v", f.option, f.get(held), most)
			}
		}
	})
}

func TestLimitsThatWereSetForGoodOutliveTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits.json")
	lab := hub.ServerRef{User: "alice", Server: "lab"}
	open := func() *lasting {
		s, err := openLasting(file)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := hub.Limits{MemoryMax: 1 << 30, CPUQuota: 0.5}
	if err := open().set(lab, 1000, want); err != nil {
		t.Fatal(err)
	}
	s := open()
	if got := s.of(lab, 1000); got != want {
		t.Errorf("remembered is %+v", got)
	}
	if got := s.of(hub.ServerRef{User: "alice"}, 1000); !got.IsZero() {
		t.Errorf("of another server is remembered %+v", got)
	}
	if got := s.of(lab, 1001); !got.IsZero() {
		t.Errorf("the next alice gets %+v", got)
	}
	if err := s.set(lab, 1000, hub.Limits{}); err != nil {
		t.Fatal(err)
	}
	if got := open().of(lab, 1000); !got.IsZero() {
		t.Errorf("after forgetting: %+v", got)
	}
}

func TestAHubCannotFillTheMemoryOfLimits(t *testing.T) {
	s, _ := openLasting("")
	for n := range maxLastingPerUser {
		if err := s.set(hub.ServerRef{User: "alice", Server: fmt.Sprint(n)}, 1000, hub.Limits{TasksMax: 50}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.set(hub.ServerRef{User: "alice", Server: "more"}, 1000, hub.Limits{TasksMax: 50}); hub.KindOf(err) != hub.TooMany {
		t.Errorf("one more: %v", err)
	}
	if err := s.set(hub.ServerRef{User: "alice", Server: "1"}, 1000, hub.Limits{TasksMax: 60}); err != nil {
		t.Errorf("a change of one: %v", err)
	}
	if err := s.set(hub.ServerRef{User: "bob"}, 1001, hub.Limits{TasksMax: 50}); err != nil {
		t.Errorf("bob: %v", err)
	}
}

func TestAFileOfLimitsThatCannotBeReadIsSaidAndLeft(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `{"alice/": 7}`, "{"} {
		file := filepath.Join(t.TempDir(), "limits.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openLasting(file)
		if err == nil && text != "null" {
			t.Errorf("%q is read", text)
		}
		if err := s.set(hub.ServerRef{User: "alice"}, 1000, hub.Limits{TasksMax: 50}); err != nil {
			t.Errorf("after %q: %v", text, err)
		}
	}
}

// A machine that has promised what it has promises no more; a server that has ended gives back.
func TestPromisesAreNotMadeTwice(t *testing.T) {
	r, machine := newRoster(time.Now), capacity{memory: 10 << 30, cpus: 4}
	claim := func(user string, p promise) error {
		_, err := r.claim(unitOf(user, "", ""), new(ticket), machine, p)
		return err
	}
	six := promise{slice: "jupyter-user_alice.slice", memory: 6 << 30, cpus: 3}
	if err := claim("alice", six); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]promise{"memory": {memory: 3 << 30}, "processors": {cpus: 2}} {
		if err := claim("bob", p); hub.KindOf(err) != hub.TooMany || causeOf(err).Kind != hub.CauseNoRoom {
			t.Errorf("too much %s: %v", name, err)
		}
	}
	if err := claim("bob", promise{slice: "jupyter-group_gpu-user_bob.slice", memory: 2 << 30, cpus: 1}); err != nil {
		t.Errorf("what there is: %v", err)
	}
	for slice, want := range map[string]int64{"jupyter.slice": 8 << 30, "jupyter-group_gpu.slice": 2 << 30, "jupyter-user_alice.slice": 6 << 30, "jupyter-user_bob.slice": 0} {
		if got := r.promised(slice).memory; got != want {
			t.Errorf("in %s are promised %d, want %d", slice, got, want)
		}
	}
	r.end(unitOf("alice", "", ""), nil, false)
	if err := claim("mallory", six); err != nil {
		t.Errorf("after alice's has ended: %v", err)
	}
}
