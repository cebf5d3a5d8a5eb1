package main

import (
	"context"
	"fmt"
)

// measureAPI asks who we are, as single-user servers do for each of their users: directly, and through the proxy.
func (s *stage) measureAPI(ctx context.Context) error {
	tokens, err := s.userTokens(ctx)
	if err != nil {
		return err
	}
	return s.eachSite(ctx, s.size.rounds, func(ctx context.Context, w *site) error {
		many, err := s.wrk(ctx, load{url: w.api + "/hub/api/user", connections: 16, token: tokens[w.name]})
		if err != nil {
			return err
		}
		one, err := s.wrk(ctx, load{url: w.api + "/hub/api/user", connections: 1, token: tokens[w.name]})
		if err != nil {
			return err
		}
		through, err := s.wrk(ctx, load{url: w.url + "/hub/api/user", connections: 16, token: tokens[w.name]})
		if err != nil {
			return err
		}
		s.scores.note("api-16", w.name, many.rate())
		s.scores.note("api-1-p50", w.name, one.P50)
		s.scores.note("api-proxy-16", w.name, through.rate())
		return nil
	})
}

// userTokens are tokens of an ordinary user, by site.
func (s *stage) userTokens(ctx context.Context) (map[string]string, error) {
	tokens := map[string]string{}
	for _, w := range s.sites() {
		token, err := w.userToken(ctx, s.people[0].Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		tokens[w.name] = token
	}
	return tokens, nil
}

// measureUsers lists users, of whom some more are made first.
func (s *stage) measureUsers(ctx context.Context) error {
	var names []string
	for i := len(s.people) + 1; i < s.size.users; i++ { // an administrator is there as well
		names = append(names, fmt.Sprintf("listed%04d", i))
	}
	for _, w := range s.sites() {
		if err := w.createUsers(ctx, names); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return s.eachSite(ctx, s.size.rounds, func(ctx context.Context, w *site) error {
		r, err := s.wrk(ctx, load{url: fmt.Sprintf("%s/hub/api/users?limit=%d", w.api, s.size.users), connections: 1, token: w.token})
		if err == nil {
			s.scores.note("users-p50", w.name, r.P50)
		}
		return err
	})
}

// measureActivity tells of activity, as every single-user server does every five minutes.
func (s *stage) measureActivity(ctx context.Context) error {
	tokens, err := s.userTokens(ctx)
	if err != nil {
		return err
	}
	return s.eachSite(ctx, s.size.rounds, func(ctx context.Context, w *site) error {
		url := w.api + "/hub/api/users/" + s.people[0].Name + "/activity"
		r, err := s.wrk(ctx, load{url: url, connections: 16, token: tokens[w.name], script: activityScript})
		if err == nil {
			s.scores.note("activity-16", w.name, r.rate())
		}
		return err
	})
}
