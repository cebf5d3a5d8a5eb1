package proxy

import (
	"fmt"
	"sync"
	"testing"
)

// A hundred thousand routes are set one by one, found, and removed. Were the whole table made anew at each change, this would
// take hours.
func TestAHundredThousandRoutes(t *testing.T) {
	const many = 100_000
	tb := newTable()
	for i := range many {
		tb.put(&route{key: fmt.Sprintf("/user/u%d", i)}, func(old *route) {
			if old != nil {
				t.Fatalf("%d is there already", i)
			}
		})
	}
	if tb.count() != many {
		t.Fatalf("there are %d", tb.count())
	}
	for i := 0; i < many; i += 997 {
		where, err := readPath(fmt.Sprintf("/user/u%d/lab/x", i))
		if err != nil {
			t.Fatal(err)
		}
		if r := tb.find(where); r == nil || r.key != fmt.Sprintf("/user/u%d", i) {
			t.Fatalf("%s finds %v", where.raw, r)
		}
	}
	seen := 0
	for key, r := range tb.all() {
		if key != r.key {
			t.Fatalf("%s is at %s", r.key, key)
		}
		seen++
	}
	if seen != many {
		t.Errorf("%d are shown", seen)
	}
	for i := range many {
		if tb.remove(fmt.Sprintf("/user/u%d", i)) == nil {
			t.Fatalf("%d was not there", i)
		}
	}
	if tb.count() != 0 || tb.remove("/user/u1") != nil {
		t.Errorf("%d are left", tb.count())
	}
}

// Whoever reads while others change sees a route or none, and never half of one.
func TestReadersAndChanges(t *testing.T) {
	tb := newTable()
	where, err := readPath("/user/alice/lab")
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for range 4 {
		both.Go(func() {
			for i := range 1000 {
				tb.put(&route{key: "/user/alice", spelling: fmt.Sprint(i)}, func(*route) {})
				tb.remove("/user/alice")
			}
		})
		both.Go(func() {
			for range 1000 {
				if r := tb.find(where); r != nil && r.spelling == "" {
					t.Error("half a route")
				}
			}
		})
	}
	both.Wait()
	if tb.count() != 0 {
		t.Errorf("%d are left", tb.count())
	}
}
