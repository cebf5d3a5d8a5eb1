package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/store"
)

type tokenPage struct {
	Layout
	Made    string // the value of the token just made, shown this once
	Note    string
	Lives   []life
	Tokens  []tokenRow
	Apps    []tokenRow // tokens of OAuth clients, one row a client
	Refused string
}

// life is a choice of the expiry.
type life struct {
	Seconds string
	Label   string
}

type tokenRow struct {
	ID       string // "a5"
	Name     string // the note, or the client
	Scopes   []string
	LastUsed time.Time
	Created  time.Time
	Expires  time.Time
	Count    int // tokens of the client
}

// revokeForm is one button of the page.
type revokeForm struct {
	Hub, XSRF, ID, Name string
}

// tokens answers GET /hub/token.
func (room *Room) tokens(w http.ResponseWriter, r *http.Request) error {
	return room.showTokens(w, r, http.StatusOK, tokenPage{})
}

// changeTokens answers POST /hub/token: make one, or revoke one.
func (room *Room) changeTokens(w http.ResponseWriter, r *http.Request) error {
	u, err := me(r)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	if r.PostForm.Get("action") == "revoke" {
		auth.Concern(r, "revoke", "token "+r.PostForm.Get("id"))
		if err := room.Directory.RevokeToken(u.Name, r.PostForm.Get("id")); err != nil {
			return err
		}
		return redirect(w, http.StatusSeeOther, room.hub+"token")
	}
	note := strings.TrimSpace(r.PostForm.Get("note"))
	if note == "" {
		note = "Requested via the token page"
	}
	seconds, err := strconv.ParseInt(r.PostForm.Get("expires_in"), 10, 32)
	if err != nil || seconds < 0 {
		seconds = 0 // "never", or as long as the admin allows
	}
	value, made, err := room.Directory.NewToken(auth.FromContext(r.Context()), u.Name, note, time.Duration(seconds)*time.Second, scopesOf(r.PostForm.Get("scopes")))
	switch {
	case hub.KindOf(err) == hub.Invalid:
		return room.showTokens(w, r, http.StatusBadRequest, tokenPage{Note: note, Refused: hub.TextOf(err)})
	case err != nil:
		return err
	}
	auth.Concern(r, "token a"+strconv.FormatUint(made.ID, 10))
	return room.showTokens(w, r, http.StatusOK, tokenPage{Made: value})
}

// scopesOf reads the field of scopes. An empty one means all that the owner has, which NewToken knows as nil: an empty list
// would be a token that may do nothing.
func scopesOf(text string) []string {
	scopes := strings.Fields(strings.ReplaceAll(text, ",", " "))
	if len(scopes) == 0 {
		return nil
	}
	return scopes
}

func (room *Room) showTokens(w http.ResponseWriter, r *http.Request, status int, p tokenPage) error {
	u, err := me(r)
	if err != nil {
		return err
	}
	if p.Tokens, p.Apps, err = room.tokensOf(u.Name); err != nil {
		return err
	}
	p.Layout = room.layout(w, r, "token", "Tokens")
	p.Lives = room.lives()
	return room.show(w, status, "token", p)
}

// tokensOf returns a user's plain tokens, the newest first, and the clients that hold some.
func (room *Room) tokensOf(user string) (plain, apps []tokenRow, err error) {
	err = room.Store.View(func(tx *store.Tx) error {
		byClient := map[string]int{}
		for _, t := range tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: user}) {
			row := tokenRow{ID: "a" + strconv.FormatUint(t.ID, 10), Name: t.Note, Scopes: t.Scopes, LastUsed: t.LastActivity, Created: t.Created, Expires: t.Expires, Count: 1}
			if t.Client == "" {
				plain = append(plain, row)
				continue
			}
			i, seen := byClient[t.Client]
			if !seen {
				row.Name = t.Client
				if c, err := tx.Client(t.Client); err == nil {
					row.Name = c.Description
				}
				byClient[t.Client] = len(apps)
				apps = append(apps, row)
				continue
			}
			apps[i].Count++
			if t.LastActivity.After(apps[i].LastUsed) {
				apps[i].LastUsed = t.LastActivity
			}
		}
		return nil
	})
	slices.SortStableFunc(plain, func(a, b tokenRow) int { return b.Created.Compare(a.Created) })
	return plain, apps, err
}

// lives are the lifetimes to choose from, as far as the admin allows.
func (room *Room) lives() []life {
	var out []life
	for _, l := range []struct {
		d     time.Duration
		label string
	}{{time.Hour, "1 hour"}, {24 * time.Hour, "1 day"}, {7 * 24 * time.Hour, "1 week"}, {30 * 24 * time.Hour, "30 days"}} {
		if room.TokenMax == 0 || l.d <= room.TokenMax {
			out = append(out, life{strconv.Itoa(int(l.d.Seconds())), l.label})
		}
	}
	if room.TokenMax == 0 {
		return append(out, life{"", "Never"})
	}
	return append(out, life{"", "As late as possible"})
}
