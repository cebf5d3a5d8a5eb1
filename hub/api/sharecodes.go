package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// How long a code for a share may be good.
const (
	codeLife  = 24 * time.Hour
	shortCode = time.Minute
	longCode  = 365 * 24 * time.Hour
)

// codesOfUser answers GET /hub/api/share-codes/U.
func (room *Room) codesOfUser(w http.ResponseWriter, r *http.Request) error {
	return room.writeShareCodes(w, r, func(tx *store.Tx) ([]hub.ShareCode, error) {
		_, err := tx.User(r.PathValue("user"))
		return tx.ShareCodesOf(r.PathValue("user")), err
	})
}

// codesOfServer answers GET /hub/api/share-codes/U/S.
func (room *Room) codesOfServer(w http.ResponseWriter, r *http.Request) error {
	return room.writeShareCodes(w, r, func(tx *store.Tx) ([]hub.ShareCode, error) {
		_, err := tx.Server(refOf(r))
		return tx.ShareCodesOfServer(refOf(r)), err
	})
}

func (room *Room) writeShareCodes(w http.ResponseWriter, r *http.Request, list func(*store.Tx) ([]hub.ShareCode, error)) error {
	p, err := room.pageOf(r)
	if err != nil {
		return err
	}
	p.envelope = true
	var codes []hub.ShareCode
	err = room.Store.View(func(tx *store.Tx) (err error) {
		codes, err = list(tx)
		return err
	})
	if err != nil {
		return err
	}
	models := []client.ShareCode{}
	for _, c := range cut(codes, p) {
		models = append(models, room.shareCodeModel(c))
	}
	return writeJSON(w, http.StatusOK, p.of(models, len(codes)))
}

func (room *Room) shareCodeModel(c hub.ShareCode) client.ShareCode {
	return client.ShareCode{
		Server: room.sharedServer(c.Server), Scopes: hub.ScopesFor(c.Server, c.Scopes), ID: shareCodeID(c.ID),
		CreatedAt: client.At(c.Created), ExpiresAt: client.At(c.Expires), ExchangeCount: c.Exchanges, LastExchangedAt: client.At(c.LastExchanged),
	}
}

func shareCodeID(id uint64) string { return "sc_" + strconv.FormatUint(id, 10) }

// makeShareCode answers POST /hub/api/share-codes/U/S. Its value is in the answer and never again.
func (room *Room) makeShareCode(w http.ResponseWriter, r *http.Request) error {
	c, life, err := room.readShareCode(r)
	if err != nil {
		return err
	}
	value, c, err := room.NewShareCode(auth.FromContext(r.Context()), c.Server, c.Scopes, life)
	if err != nil {
		return err
	}
	m := room.shareCodeModel(c)
	m.Code, m.AcceptURL = value, room.BaseURL+"hub/accept-share?code="+url.QueryEscape(value)
	m.FullAcceptURL = client.Show(room.full(m.AcceptURL))
	return writeJSON(w, http.StatusOK, m)
}

func (room *Room) readShareCode(r *http.Request) (c hub.ShareCode, life time.Duration, err error) {
	c = hub.ShareCode{Server: refOf(r)}
	body, err := readObject(r)
	if err == nil {
		err = body.only("scopes", "expires_in")
	}
	if err == nil {
		c.Scopes, err = room.sharedScopes(body, c.Server)
	}
	seconds := int64(codeLife / time.Second)
	if _, given := body["expires_in"]; err == nil && given && !body.has("expires_in") {
		err = hub.Errorf(hub.Invalid, "expires_in must be a whole number of seconds")
	}
	if err == nil {
		err = body.into("expires_in", &seconds, "a whole number of seconds")
	}
	if least, most := int64(shortCode/time.Second), int64(longCode/time.Second); err == nil && (seconds < least || seconds > most) {
		err = hub.Errorf(hub.Invalid, "expires_in must be from %d to %d seconds", least, most)
	}
	return c, time.Duration(seconds) * time.Second, err
}

// NewShareCode makes a code for a share that is good for a minute to a year; no scopes mean access. Nobody gives what they do
// not hold themselves.
func (room *Room) NewShareCode(a auth.Actor, ref hub.ServerRef, scopes []string, life time.Duration) (value string, c hub.ShareCode, err error) {
	c = hub.ShareCode{Server: ref, Scopes: orAccess(scopes), Created: room.Now().UTC()}
	if life < shortCode || life > longCode {
		return "", c, hub.Errorf(hub.Invalid, "A code for a share is good for a minute to a year")
	}
	if err := mayShare(a, ref, c.Scopes); err != nil {
		return "", c, err
	}
	c.Expires = c.Created.Add(life)
	err = room.Store.Update(func(tx *store.Tx) error {
		value, c, err = tx.NewShareCode(c)
		return err
	})
	return value, c, err
}

// revokeShareCodes answers DELETE /hub/api/share-codes/U/S: the code that ?code= or ?id= names, or all of the server.
func (room *Room) revokeShareCodes(w http.ResponseWriter, r *http.Request) error {
	ref, value, id := refOf(r), r.URL.Query().Get("code"), r.URL.Query().Get("id")
	err := room.Store.Update(func(tx *store.Tx) error {
		if _, err := tx.Server(ref); err != nil {
			return err
		}
		if value != "" || id != "" {
			return revokeShareCode(tx, ref, value, id)
		}
		for _, c := range tx.ShareCodesOfServer(ref) {
			if err := tx.DeleteShareCode(c.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return nothing(w)
}

// RevokeShareCode revokes the code of a server that has that id ("sc_5"). Who exchanged it before keeps what they got.
func (room *Room) RevokeShareCode(ref hub.ServerRef, id string) error {
	return room.Store.Update(func(tx *store.Tx) error { return revokeShareCode(tx, ref, "", id) })
}

func revokeShareCode(tx *store.Tx, ref hub.ServerRef, value, id string) error {
	c, err := findShareCode(tx, value, id)
	if err != nil || c.Server != ref {
		return hub.Errorf(hub.NotFound, "No matching code found")
	}
	return tx.DeleteShareCode(c.ID)
}

func findShareCode(tx *store.Tx, value, id string) (hub.ShareCode, error) {
	if value != "" {
		return tx.ShareCodeByValue(value)
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(id, "sc_"), 10, 64)
	if err != nil || shareCodeID(n) != id {
		return hub.ShareCode{}, hub.Errorf(hub.NotFound, "no such share code")
	}
	return tx.ShareCode(n)
}

// Offer returns what a code for a share offers a user, for the page that asks them: NotFound for a code that is none or
// expired, Forbidden for one of their own.
func (room *Room) Offer(user, code string) (c hub.ShareCode, err error) {
	err = room.Store.View(func(tx *store.Tx) error {
		c, err = offer(tx, user, code)
		return err
	})
	return c, err
}

// AcceptShare gives a user what a code offers them.
func (room *Room) AcceptShare(user, code string) (s hub.Share, err error) {
	err = room.Store.Update(func(tx *store.Tx) error {
		if _, err := offer(tx, user, code); err != nil {
			return err
		}
		s, err = tx.ExchangeShareCode(code, user)
		return err
	})
	return s, err
}

func offer(tx *store.Tx, user, code string) (hub.ShareCode, error) {
	c, err := tx.ShareCodeByValue(code)
	if hub.KindOf(err) == hub.NotFound {
		return c, hub.Errorf(hub.NotFound, "Share not found or expired")
	}
	if err == nil && c.Server.User == user {
		return c, hub.Errorf(hub.Forbidden, "You can't share with yourself!")
	}
	return c, err
}
