package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

//go:embed wrk.lua
var wrkScript string

//go:embed activity.lua
var activityScript string

//go:embed paced.lua
var pacedScript string

// load is one turn of wrk, the load generator.
type load struct {
	url         string
	connections int
	token       string
	script      string // beside wrk.lua
	core        *int
	time        time.Duration // 0: as the size says
}

// result is what wrk says of a turn.
type result struct {
	Requests int     `json:"requests"`
	Duration float64 `json:"duration"` // microseconds, as are those that follow
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Max      float64 `json:"max"`
	Refused  int     `json:"refused"` // statuses from 400 on
	Broken   int     `json:"broken"`
}

// rate is in requests a second.
func (r result) rate() float64 { return float64(r.Requests) / r.Duration * 1e6 }

// errMissing is told, and no failure.
var errMissing = errors.New("there is nothing to measure with")

// wrk loads a server for a while. An answer that is not good makes it fail: refusals are cheap, and would look fast.
func (s *stage) wrk(ctx context.Context, l load) (result, error) {
	r, err := s.stress(ctx, l)
	if err == nil && (r.Refused+r.Broken > 0 || r.Requests == 0) {
		err = fmt.Errorf("%s: of %d requests %d were refused, %d broke off", l.url, r.Requests, r.Refused, r.Broken)
	}
	return r, err
}

// stress is wrk for whom the answers that are not good are the figure.
func (s *stage) stress(ctx context.Context, l load) (result, error) {
	program := fetched("debian/usr/bin/wrk")
	if !s.there("anything under load, for want of wrk", program) {
		return result{}, errMissing
	}
	if l.time == 0 {
		l.time = s.size.load
	}
	script := here + "/wrk.lua"
	if err := s.bed.WriteFile(ctx, script, l.script+wrkScript, 0o644); err != nil {
		return result{}, err
	}
	command := []string{"env", "LD_LIBRARY_PATH=" + fetched("debian/usr/lib/"+triplet()), program, "--threads=1", "--timeout=1m",
		"--connections=" + strconv.Itoa(l.connections), fmt.Sprintf("--duration=%ds", max(1, int(l.time.Seconds()))),
		"--script=" + script, "--header=Authorization: token " + l.token, l.url}
	if l.core != nil && runtime.NumCPU() > 1 {
		command = append([]string{"taskset", "--cpu-list", strconv.Itoa(*l.core)}, command...)
	}
	out, err := s.bed.Run(ctx, command[0], command[1:]...)
	if err != nil {
		return result{}, err
	}
	var r result
	if err := json.Unmarshal([]byte(out[strings.LastIndexByte(out, '\n')+1:]), &r); err != nil {
		return result{}, fmt.Errorf("read what wrk says: %w\n%s", err, out)
	}
	if r.Requests == 0 && r.Refused+r.Broken == 0 && l.time < patience { // none was through in the time: a busy machine
		l.time *= 4
		return s.stress(ctx, l)
	}
	return r, nil
}

// triplet is Debian's name of this architecture.
func triplet() string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64", "riscv64": "riscv64", "ppc64le": "powerpc64le", "s390x": "s390x"}[runtime.GOARCH] + "-linux-gnu"
}
