package proxy

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"jupyterhubd/hub"
)

// A token that somebody shows a server beside the cookies is a session, too: of whoever shows it. Single-user servers keep what the hub
// once said of it for as long. So one that opens nothing any more is taken out of requests, as an ended session's cookies are. One that
// may open less than before goes under another name everywhere (see aliases): its servers ask the hub anew, which knows what it opens.

// everywhere is the key of the names that hold at each route that is not the hub's. It is no route's: these begin with a slash.
const everywhere = "*"

// recogniseTokens finds out what is known of the tokens that a request shows.
func (p *Proxy) recogniseTokens(ps *passage, now time.Time) {
	ps.cookies = len(ps.sessions)
	for _, id := range append(headerTokens(ps.in.Header), queryTokens(ps.query)...) {
		if p.graves.holds([]sessionID{id}, now) {
			ps.over = append(ps.over, id)
		} else {
			ps.sessions = append(ps.sessions, id)
		}
	}
	if ps.over != nil {
		ps.query = withoutTokens(ps.query, ps.over)
	}
}

// headerTokens returns the tokens of the headers Authorization.
func headerTokens(h http.Header) (ids []sessionID) {
	for _, line := range h["Authorization"] {
		if id, ok := headerToken(line); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// headerToken reads a header as JupyterHub's HubAuth does: by (?:token|bearer)\s+(.+) in any case, where white space is Python's, in
// Latin-1.
func headerToken(line string) (sessionID, bool) {
	for _, scheme := range []string{"token", "bearer"} {
		if len(line) <= len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) || !blankByte(line[len(scheme)]) {
			continue
		}
		value := line[len(scheme):]
		for value != "" && blankByte(value[0]) {
			value = value[1:]
		}
		for value != "" && blankByte(value[len(value)-1]) {
			value = value[:len(value)-1]
		}
		return sha256.Sum256([]byte(value)), value != ""
	}
	return sessionID{}, false
}

func blankByte(c byte) bool { return c <= ' ' || c == 0x7f || c == 0x85 || c == 0xa0 }

// queryTokens returns the parameters of a query that single-user servers take for tokens: at a WebSocket, and everywhere where a site
// has them do so (JUPYTERHUB_ALLOW_TOKEN_IN_URL).
func queryTokens(query string) (ids []sessionID) {
	if query == "" {
		return nil
	}
	for piece := range strings.SplitSeq(query, "&") {
		ids = append(ids, pieceTokens(piece)...)
	}
	return ids
}

// pieceTokens reads what stands between two "&". Older Pythons divide at ";", too.
func pieceTokens(piece string) (ids []sessionID) {
	parts := []string{piece}
	if strings.Contains(piece, ";") {
		parts = append(parts, strings.Split(piece, ";")...)
	}
	for _, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(name); err != nil || name != "token" {
			continue
		}
		value, err := url.QueryUnescape(value)
		value = strings.TrimFunc(value, func(r rune) bool { return r <= ' ' || unicode.IsSpace(r) })
		if err == nil && value != "" {
			ids = append(ids, sha256.Sum256([]byte(value)))
		}
	}
	return ids
}

// withoutTokens takes tokens out of a query. What stays keeps its bytes and order.
func withoutTokens(query string, over []sessionID) string {
	pieces := slices.DeleteFunc(strings.Split(query, "&"), func(piece string) bool { return anyOf(pieceTokens(piece), over) })
	return strings.Join(pieces, "&")
}

// dropTokens takes tokens out of a request's head.
func dropTokens(h http.Header, over []sessionID) {
	kept := slices.DeleteFunc(slices.Clone(h["Authorization"]), func(line string) bool {
		id, ok := headerToken(line)
		return ok && slices.Contains(over, id)
	})
	if h["Authorization"] = kept; len(kept) == 0 {
		delete(h, "Authorization")
	}
}

func anyOf(ids, among []sessionID) bool {
	return slices.ContainsFunc(ids, func(id sessionID) bool { return slices.Contains(among, id) })
}

// rename has a request's session cookies say the names that go with them. A token has no cookie of its own: its name is behind each, or in
// one that there was not.
func (ps *passage) rename(h http.Header) {
	names, tokens := make([]string, ps.cookies), ""
	for i := range ps.sessions {
		name := nameAt(ps.names, i) + nameAt(ps.anew, i)
		if i < ps.cookies {
			names[i] = name
		} else {
			tokens += name
		}
	}
	if ps.cookies == 0 && tokens != "" {
		h["Cookie"] = []string{strings.Join(append(slices.Clone(h["Cookie"]), sessionCookie+"=."+tokens), "; ")}
		return
	}
	for i := range names {
		names[i] += tokens
	}
	renameSessions(h, names)
}

func nameAt(names []string, i int) string {
	if names == nil {
		return ""
	}
	return names[i]
}

// askAnew has every server ask anew about a token, and closes what is open of it but at some routes.
func (p *Proxy) askAnew(id sessionID, a alias, stay []string) {
	p.aliases.put(everywhere, id, a)
	p.ledger.touch(aliasKey + aliasName(everywhere, id))
	p.tunnels.close(policy, func(t *tunnel) bool { return slices.Contains(t.sessions, id) && !slices.Contains(stay, t.route) })
	if len(strings.Join(stay, "")) > maxPacket/4 {
		stay = nil // more than can be told: in an elder all of its WebSockets close, and come again
	}
	p.elders.tell(message{Do: doRename, Session: id.String(), Path: everywhere, Alias: &a, Stay: stay})
}

// opens reports whether a WebSocket may open that was asked for before what is known now.
func (p *Proxy) opens(t *tunnel, anew []string) bool {
	return p.stays(t) && slices.Equal(p.aliases.of(everywhere, t.sessions, p.options.Now()), anew)
}

// endTokens ends tokens that were revoked or have expired.
func (a api) endTokens(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Tokens []string `json:"tokens"`
	}
	if !allowed(w, r, http.MethodPost) || !readCall(w, r, &asked) {
		return
	}
	ids := make([]sessionID, len(asked.Tokens))
	for i, name := range asked.Tokens {
		var err error
		if ids[i], err = readSessionID(name); err != nil {
			refuse(w, err)
			return
		}
	}
	for _, id := range ids {
		a.end(id)
	}
	a.kept()
	w.WriteHeader(http.StatusNoContent)
}

// askAboutToken has servers ask anew about a token that may open less than before.
func (a api) askAboutToken(w http.ResponseWriter, r *http.Request, name string) {
	var asked struct {
		Stay []string `json:"stay"`
	}
	if !allowed(w, r, http.MethodPost) || !readCall(w, r, &asked) {
		return
	}
	id, err := readSessionID(name)
	for i := 0; i < len(asked.Stay) && err == nil; i++ {
		var at *route
		if at, err = readKey(asked.Stay[i], a.options.HostRouting); err == nil {
			asked.Stay[i] = at.key
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	now := a.options.Now()
	a.askAnew(id, newAlias(now, now.Add(endedFor)), asked.Stay)
	a.kept()
	w.WriteHeader(http.StatusNoContent)
}

// readCall reads the body of a call, and answers one that it cannot read.
func readCall(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case err != nil:
		refuse(w, hub.Errorf(hub.TooLarge, "a call has at most %d bytes", maxBody))
	case json.Unmarshal(body, into) != nil:
		refuse(w, hub.Errorf(hub.Invalid, "the body is not what this call takes"))
	default:
		return true
	}
	return false
}
