package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// size says how much is measured.
type size struct {
	rounds     int           // turns of each contender
	serial     int           // servers started one after another in a turn
	burst      int           // servers started at once
	large      int           // the same, fewer times
	load       time.Duration // of one turn of a load generator
	users      int           // in the list of users
	population int           // users on a large site
	logins     int           // in a row
	rain       time.Duration // of activity, beside the logins
	running    int           // servers that run while the hub restarts
	churn      int           // starts in a row, of which none may be lost
	units      int           // that run while root's side begins anew
	rest       time.Duration // before daemons are called idle: longer than a connection is kept
	idle       time.Duration // nobody does anything
	sockets    int           // WebSockets open at once
	some       int           // routes in a table
	many       int           // the same, for more than a university
	calm       time.Duration // after they were opened, and after they were closed
}

// full takes about 25 minutes on two cores; quick shows that everything can be measured.
var (
	full = size{rounds: 3, serial: 20, burst: 50, large: 200, load: 4 * time.Second, users: 1000, population: 100_000, logins: 9, rain: 6 * time.Second, running: 50, churn: 300, units: 1000, rest: 100 * time.Second, idle: time.Minute,
		sockets: 2000, some: 5000, many: 100_000, calm: 10 * time.Second}
	quick = size{rounds: 1, serial: 2, burst: 5, large: 8, load: 500 * time.Millisecond, users: 50, population: 300, logins: 1, rain: time.Second, running: 3, churn: 8, units: 10, rest: time.Second, idle: time.Second,
		sockets: 20, some: 20, many: 50, calm: 100 * time.Millisecond}
)

// numbers fills in the braces of rows.
func (z size) numbers() *strings.Replacer {
	return strings.NewReplacer("{burst}", fmt.Sprint(z.burst), "{large}", fmt.Sprint(z.large),
		"{sockets}", fmt.Sprint(z.sockets), "{some}", fmt.Sprint(z.some), "{many}", fmt.Sprint(z.many), "{calm}", fmt.Sprint(z.calm), "{users}", fmt.Sprint(z.users), "{population}", fmt.Sprint(z.population), "{running}", fmt.Sprint(z.running),
		"{churn}", fmt.Sprint(z.churn), "{churners}", fmt.Sprint(churners), "{units}", fmt.Sprint(z.units))
}

type options struct {
	size   size
	only   []string
	strict bool // what may not happen at all is an error
	json   string
	log    io.Writer // what is being done
}

func main() {
	short := flag.Bool("short", false, "measure next to nothing, to see that everything can be measured")
	rounds := flag.Int("rounds", 0, "turns of each contender (default 3)")
	only := flag.String("only", "", "subjects to measure, with commas between them: "+strings.Join(subjectNames(), ","))
	starts := flag.Int("starts", 0, "starts of the subject churn (default 300)")
	strict := flag.Bool("strict", false, "fail if something happened that may not happen at all, such as a start that was lost")
	file := flag.String("json", "", "also write the figures of every round to this file")
	flag.Parse()
	o := options{size: full, strict: *strict, json: *file, log: os.Stderr}
	if *short {
		o.size = quick
	}
	if *rounds > 0 {
		o.size.rounds = *rounds
	}
	if *starts > 0 {
		o.size.churn = *starts
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and prints. What cannot be measured is an error, and does not keep the rest from being measured.
func run(ctx context.Context, out io.Writer, o options) error {
	for _, name := range o.only {
		if !slices.Contains(subjectNames(), name) {
			return fmt.Errorf("there is no subject %q; there are %s", name, strings.Join(subjectNames(), ", "))
		}
	}
	fmt.Fprintln(out, "Booting a throw-away machine; nothing else on this host changes.")
	began := time.Now()
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	failed := s.measure(ctx, o.only)
	r := s.scores.report(o.size, s.missing)
	r.Seconds = time.Since(began).Seconds()
	if err := s.close(); err != nil {
		failed = append(failed, err)
	}
	r.print(out)
	if o.strict {
		failed = append(failed, r.forbidden()...)
	}
	if o.json != "" {
		failed = append(failed, r.write(o.json))
	}
	return errors.Join(failed...)
}

// subject is one thing to measure.
type subject struct {
	name    string
	measure func(*stage, context.Context) error
}

// subjects in the order in which they are measured: what wants a fresh machine first, and what leaves much behind last.
var subjects = []subject{
	{"idle", (*stage).measureIdle},
	{"api", (*stage).measureAPI},
	{"users", (*stage).measureUsers},
	{"activity", (*stage).measureActivity},
	{"rain", (*stage).measureRain},
	{"proxy", (*stage).measureProxy},
	{"routes", (*stage).measureRoutes},
	{"fairness", (*stage).measureFairness},
	{"upgrade", (*stage).measureUpgrade},
	{"spawn", (*stage).measureSpawn},
	{"properties", (*stage).measureProperties},
	{"churn", (*stage).measureChurn},
	{"sleep", (*stage).measureSleep},
	{"death", (*stage).measureDeath},
	{"burst", (*stage).measureBurst},
	{"memory", (*stage).measureMemory},
	{"restart", (*stage).measureRestart},
	{"reconcile", (*stage).measureReconcile},
	{"population", (*stage).measurePopulation},
}

func subjectNames() (names []string) {
	for _, s := range subjects {
		names = append(names, s.name)
	}
	return names
}

func (s *stage) measure(ctx context.Context, only []string) (failed []error) {
	chosen := subjects
	if len(only) > 0 {
		chosen = slices.DeleteFunc(slices.Clone(subjects), func(s subject) bool { return !slices.Contains(only, s.name) })
	}
	for i, subject := range chosen {
		fmt.Fprintf(s.log, "measuring %s, %d of %d\n", subject.name, i+1, len(chosen))
		if err := subject.measure(s, ctx); err != nil && !errors.Is(err, errMissing) {
			failed = append(failed, fmt.Errorf("measure %s: %w", subject.name, err))
		}
		if ctx.Err() != nil {
			return append(failed, ctx.Err())
		}
	}
	return failed
}
