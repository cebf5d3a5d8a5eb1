package compat

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub/hosts"
)

// No client can tell: the same requests are sent to a real JupyterHub and to a hub of ours, and every difference in an answer
// is a row of the table of differences (allowed_test.go), which is a table in docs/compatibility.md.
func TestConversationsWithBothHubs(t *testing.T) {
	steps := expand(readTalks(t, "talks/*.txt"))
	log := new(spoken)
	upstream, ours := startUpstream(t), startOurs(t, log, hosts.Hosts{})
	theirs, mine := converse(t, steps, upstream, ours)
	keepsSecrets(t, ours, log.String())
	tally(t, steps, theirs, mine, allowed, nil)
}

// The same with a host for each user and each service: addresses, cookies, where logins lead and end.
func TestConversationsAtSeveralHosts(t *testing.T) {
	const hub = "http://hub.test"
	all, err := hosts.New(hub, hosts.IDNA)
	if err != nil {
		t.Fatal(err)
	}
	steps := expand(readTalks(t, "talks/00-cast.txt", "hosts/*.txt"))
	upstream, ours := startUpstream(t, "HUB_SUBDOMAIN_HOST="+hub), startOurs(t, new(spoken), all)
	elsewhere := httptest.NewServer(http.NotFoundHandler()) // JupyterHub waits until a service answers
	defer elsewhere.Close()
	upstream.saved["elsewhere"], ours.saved["elsewhere"] = elsewhere.URL, elsewhere.URL
	theirs, mine := converse(t, steps, upstream, ours)
	tally(t, steps, theirs, mine, allowedAtHosts, allowed)
}

// converse holds conversations with both hubs at the same time.
func converse(t *testing.T, steps []step, upstream, ours *side) (theirs, mine []reply) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		var err error
		theirs, err = upstream.hold(steps)
		ended <- err
	}()
	mine, err := ours.hold(steps)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	neverBreaks(t, steps, mine)
	return theirs, mine
}

// tally reports every difference that is not allowed, and every allowance that is not used but for those of others.
func tally(t *testing.T, steps []step, theirs, mine []reply, own, others []allowance) {
	t.Helper()
	var all []difference
	for i, st := range steps {
		all = append(all, compare(st, theirs[i], mine[i])...)
	}
	patterns := patternsOf(own)
	used := len(patterns)
	patterns = append(patterns, patternsOf(others)...)
	met := make([]bool, len(patterns))
	unmet := slices.DeleteFunc(all, func(d difference) bool { return excused(d, patterns, met) })
	for i, p := range patterns[:used] {
		if !met[i] {
			t.Errorf("a difference that is allowed does not occur any more: %s", p)
		}
	}
	report(t, unmet)
	t.Logf("%d requests, %d differences, of %d kinds that are allowed", len(steps), len(all), len(own))
}

func patternsOf(list []allowance) (patterns []*regexp.Regexp) {
	for _, a := range list {
		for _, seen := range a.seen {
			patterns = append(patterns, regexp.MustCompile(seen))
		}
	}
	return patterns
}

// neverBreaks checks that no request makes ours say 500, but for a start that the play lets fail.
func neverBreaks(t *testing.T, steps []step, replies []reply) {
	t.Helper()
	for i, st := range steps {
		if replies[i].status >= 500 && !strings.Contains(st.body, `"fail"`) {
			t.Errorf("%s: %s: %d %.300s", st.at, st, replies[i].status, replies[i].body)
		}
	}
}

// keepsSecrets checks that the log holds nothing that opens something: no token, code or cookie, wherever it was shown.
func keepsSecrets(t *testing.T, s *side, log string) {
	t.Helper()
	if !strings.Contains(log, "/hub/api/users/alice") {
		t.Error("the hall has logged nothing")
	}
	for name, value := range s.saved {
		if len(value) >= 16 && strings.Contains(log, value) {
			at := strings.Index(log, value)
			t.Errorf("the log has %s's: %.200s", name, log[max(0, at-150):])
		}
	}
}

// excused marks the patterns that a difference is an example of, and reports whether there is any.
func excused(d difference, patterns []*regexp.Regexp, met []bool) (yes bool) {
	about := d.about()
	for i, p := range patterns {
		if p.MatchString(about) {
			yes, met[i] = true, true
		}
	}
	return yes
}

// report tells differences, those of several people together.
func report(t *testing.T, all []difference) {
	t.Helper()
	who := map[string][]string{}
	var order []string
	for _, d := range all {
		key := fmt.Sprintf("%s: %s %s: %s: %s, ours %s", d.step.at, d.step.method, d.step.path, d.facet, d.upstream, d.ours)
		if len(who[key]) == 0 {
			order = append(order, key)
		}
		who[key] = append(who[key], strings.TrimSpace(d.step.who+" "+d.step.kind))
	}
	for _, key := range order {
		t.Errorf("%s (%s)", key, strings.Join(who[key], ", "))
	}
}
