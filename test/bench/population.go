package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// measurePopulation looks at what must not grow with the number of users: the first page of their list, and the time from exec to
// serving. The users stay, so this is measured last.
func (s *stage) measurePopulation(ctx context.Context) error {
	if err := s.own.createUsers(ctx, s.population(s.size.users)); err != nil {
		return err
	}
	page, start, err := s.firstPageAndStart(ctx)
	if err != nil {
		return err
	}
	if err := s.own.createUsers(ctx, s.population(s.size.population)); err != nil {
		return err
	}
	manyPage, manyStart, err := s.firstPageAndStart(ctx)
	if err != nil {
		return err
	}
	for i := range page {
		s.scores.note("population-page", ours, manyPage[i]/page[i])
		s.scores.note("population-start", ours, manyStart[i]/start[i])
	}
	return nil
}

// population are names; with those that are there already there are about n.
func (s *stage) population(n int) (names []string) {
	for i := len(s.people) + 1; i < n; i++ {
		names = append(names, fmt.Sprintf("listed%04d", i))
	}
	return names
}

// firstPageAndStart are the p50 of a page in microseconds, and the time to READY in milliseconds, a figure a round.
func (s *stage) firstPageAndStart(ctx context.Context) (page, start figures, err error) {
	for range s.size.rounds {
		r, err := s.wrk(ctx, load{url: s.own.api + "/hub/api/users?limit=50", connections: 1, token: s.own.token})
		if err == nil {
			err = s.systemctl(ctx, []string{"restart", hubUnit})
		}
		if err != nil {
			return nil, nil, err
		}
		began, ready, err := s.startOf(ctx, hubUnit)
		if err != nil {
			return nil, nil, err
		}
		page, start = append(page, r.P50), append(start, milliseconds(ready-began))
	}
	return page, start, nil
}

// measureRain logs somebody in while activity rains, and looks how soon activity is on disk.
func (s *stage) measureRain(ctx context.Context) error {
	tokens, err := s.userTokens(ctx)
	if err != nil {
		return err
	}
	for range s.size.rounds {
		dry, err := s.logins(ctx)
		if err != nil {
			return err
		}
		rain := make(chan error, 1)
		go func() {
			_, err := s.wrk(ctx, load{url: s.own.api + "/hub/api/users/" + s.people[0].Name + "/activity", connections: 16,
				token: tokens[ours], script: activityScript, time: s.size.rain})
			rain <- err
		}()
		wet, err := s.logins(ctx)
		if raining := <-rain; err == nil {
			err = raining
		}
		if err != nil {
			return err
		}
		s.scores.note("login-rain", ours, milliseconds(wet)/milliseconds(dry))
		durable, err := s.untilDurable(ctx)
		if err != nil {
			return err
		}
		s.scores.note("activity-durable", ours, milliseconds(durable))
	}
	return nil
}

// logins is the p50 of some logins with the system's password, one after the other, from the form's sending to its answer.
func (s *stage) logins(ctx context.Context) (time.Duration, error) {
	var took []time.Duration
	for range s.size.logins {
		one, err := s.login(ctx)
		if err != nil {
			return 0, err
		}
		took = append(took, one)
	}
	return percentile(took, 50), nil
}

var xsrfField = regexp.MustCompile(`name="_xsrf" value="([^"]*)"`)

func (s *stage) login(ctx context.Context) (time.Duration, error) {
	const who = "alice"
	jar, err := cookiejar.New(nil)
	if err != nil {
		return 0, err
	}
	browser := &http.Client{Transport: s.own.http.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form, _, err := fetch(ctx, browser, http.MethodGet, s.own.url+"/hub/login", "")
	if err != nil {
		return 0, err
	}
	token := xsrfField.FindSubmatch(form)
	if token == nil {
		return 0, fmt.Errorf("the login form has no token: %.200s", form)
	}
	filled := url.Values{"_xsrf": {string(token[1])}, "username": {who}, "password": {s.bed.Password(who)}}
	began := time.Now()
	page, status, err := fetch(ctx, browser, http.MethodPost, s.own.url+"/hub/login", filled.Encode())
	if err == nil && status != http.StatusFound {
		err = fmt.Errorf("a login is answered %d: %.200s", status, page)
	}
	return time.Since(began), err
}

// fetch sends a form, or nothing.
func fetch(ctx context.Context, c *http.Client, method, url, form string) ([]byte, int, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(form))
	if err != nil {
		return nil, 0, err
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := c.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return body, answer.StatusCode, err
}

// untilDurable is how long after an answered post of activity a copy of the database has it, which is what the file has.
func (s *stage) untilDurable(ctx context.Context) (time.Duration, error) {
	root, err := client.New(s.bed.Path("/run/jupyterhub/admin.sock"), "")
	if err != nil {
		return 0, err
	}
	defer root.Close()
	who, at := s.people[0].Name, time.Now().UTC().Truncate(time.Microsecond)
	if err := root.Activity(ctx, who, client.Activity{LastActivity: client.At(at)}); err != nil {
		return 0, err
	}
	for posted := time.Now(); ; {
		var copied bytes.Buffer
		if _, err := root.Backup(ctx, &copied); err != nil {
			return 0, err
		}
		took := time.Since(posted)
		switch has, err := activityIn(copied.Bytes(), who); {
		case err != nil:
			return 0, err
		case !has.Before(at):
			return took, nil
		case took > time.Minute:
			return 0, fmt.Errorf("activity of %s is not in the database after a minute", who)
		}
	}
}

// activityIn is when a user was active last, as a copy of the database has it.
func activityIn(database []byte, who string) (at time.Time, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return at, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "jupyterhub.db")
	if err := os.WriteFile(file, database, 0o600); err != nil {
		return at, err
	}
	s, err := store.Open(file, store.Options{})
	if err != nil {
		return at, err
	}
	defer s.Close()
	err = s.View(func(tx *store.Tx) error {
		u, err := tx.User(who)
		at = u.LastActivity
		return err
	})
	return at, err
}
