package store

import (
	"crypto/subtle"

	"jupyterhubd/hub"
)

// sessionRecord is a session as it is kept: its cookie's hash instead of its cookie.
type sessionRecord struct {
	hub.Session
	Hash []byte `json:"hash"`
}

func sessionRows(s sessionRecord) []row {
	return []row{
		{indexCookie, s.Hash, []byte(s.ID)},
		{indexSessionUser, key(s.User, s.ID), nil},
		expiryRow(s.Expires, bucketSessions, s.ID),
	}
}

// NewSession makes a session with an id of 32 hex digits and a cookie of 43 characters, 256 bits, which is shown this once.
// Expires must be set and the user exist. The id is always a new one: one that the browser brought may have been planted
// there by somebody who knows it.
func (tx *Tx) NewSession(s hub.Session) (cookie string, _ hub.Session, err error) {
	if _, err := tx.User(s.User); err != nil {
		return "", hub.Session{}, err
	}
	if s.Expires.IsZero() {
		return "", hub.Session{}, hub.Errorf(hub.Invalid, "a session has an end")
	}
	if s.Created.IsZero() {
		s.Created = tx.now().UTC()
	}
	s.ID, s.LastSeen = random(32, hexDigits), later(s.LastSeen, s.Created)
	cookie = random(43, base64URL)
	rec := sessionRecord{s, hash(cookie)}
	return cookie, s, save(tx, bucketSessions, []byte(s.ID), rec, nil, sessionRows(rec))
}

// SessionByCookie returns the session that a login cookie opens.
func (tx *Tx) SessionByCookie(cookie string) (hub.Session, error) {
	sum := hash(cookie)
	s, err := tx.session(tx.get(indexCookie, sum))
	if err != nil {
		return hub.Session{}, err
	}
	if subtle.ConstantTimeCompare(s.Hash, sum) != 1 {
		return hub.Session{}, orMissing(nil, "session", "")
	}
	return s.Session, nil
}

// Session returns the session of that id; one that is over is NotFound.
func (tx *Tx) Session(id string) (hub.Session, error) {
	s, err := tx.session(id)
	return s.Session, err
}

func (tx *Tx) session(id string) (sessionRecord, error) {
	if id == "" {
		return sessionRecord{}, orMissing(nil, "session", "")
	}
	s, ok, err := recall(tx, &tx.s.sessions, bucketSessions, []byte(id))
	if err != nil || !ok || !s.Expires.After(tx.now()) {
		return sessionRecord{}, orMissing(err, "session", "")
	}
	s.LastSeen = later(s.LastSeen, tx.touchedSession(id))
	return s, nil
}

// Sessions returns a user's sessions that are not over.
func (tx *Tx) Sessions(user string) (sessions []hub.Session) {
	for _, id := range tx.keys(indexSessionUser, key(user, "")) {
		if s, err := tx.session(id); err == nil {
			sessions = append(sessions, s.Session)
		}
	}
	return sessions
}

func (tx *Tx) changeSession(id string, change func(*sessionRecord)) error {
	s, ok, err := load[sessionRecord](tx, bucketSessions, []byte(id))
	if err != nil || !ok {
		return orMissing(err, "session", "")
	}
	old := sessionRows(s)
	change(&s)
	return save(tx, bucketSessions, []byte(id), s, old, sessionRows(s))
}

// DeleteSession ends a session, with the tokens and codes that were issued through it.
func (tx *Tx) DeleteSession(id string) error {
	s, ok, err := load[sessionRecord](tx, bucketSessions, []byte(id))
	if err != nil || !ok {
		return orMissing(err, "session", "")
	}
	if err := tx.DeleteTokensOfSession(id); err != nil {
		return err
	}
	if err := tx.deleteCodes(func(c hub.Code) bool { return c.Session == id }); err != nil {
		return err
	}
	return tx.erase(bucketSessions, []byte(id), sessionRows(s))
}

// DeleteSessionsOfUser ends all sessions of a user.
func (tx *Tx) DeleteSessionsOfUser(user string) error {
	for _, id := range tx.keys(indexSessionUser, key(user, "")) {
		if err := tx.DeleteSession(id); err != nil {
			return err
		}
	}
	return nil
}
