package store

import (
	"crypto/subtle"
	"encoding/hex"
	"slices"

	"jupyterhubd/hub"
)

// tokenRecord is a token as it is kept: its value's hash instead of its value.
type tokenRecord struct {
	hub.Token
	Hash   []byte        `json:"hash"`
	Server hub.ServerRef `json:"server,omitzero"` // of a server's own token
}

func tokenRows(t tokenRecord) []row {
	id := number(t.ID)
	rows := []row{
		{indexTokenHash, t.Hash, id},
		{indexTokenOwner, append(key(string(t.Owner.Kind), t.Owner.Name, ""), id...), nil},
	}
	if t.Client != "" {
		rows = append(rows, row{indexTokenClient, append(key(t.Client, ""), id...), nil})
	}
	if t.Session != "" {
		rows = append(rows, row{indexTokenSession, append(key(t.Session, ""), id...), nil})
	}
	if t.ServerToken {
		rows = append(rows, row{indexTokenServer, serverKey(t.Server), id})
	}
	if !t.Expires.IsZero() {
		rows = append(rows, expiryRow(t.Expires, bucketTokens, string(id)))
	}
	return rows
}

// Token returns the token of that id, expired or not.
func (tx *Tx) Token(id uint64) (hub.Token, error) {
	t, err := tx.token(id)
	return t.Token, err
}

func (tx *Tx) token(id uint64) (tokenRecord, error) {
	t, ok, err := recall(tx, &tx.s.tokens, bucketTokens, number(id))
	if err != nil || !ok {
		return tokenRecord{}, orMissing(err, "token", "")
	}
	t.LastActivity = later(t.LastActivity, tx.touchedToken(id))
	return t, nil
}

// TokenByValue returns the token with that value. One that is expired is NotFound, like one that never was.
func (tx *Tx) TokenByValue(value string) (hub.Token, error) {
	sum := hash(value)
	t, err := tx.token(unnumber(tx.get(indexTokenHash, sum)))
	if err != nil {
		return hub.Token{}, err
	}
	if subtle.ConstantTimeCompare(t.Hash, sum) != 1 || tx.expired(t.Token) {
		return hub.Token{}, orMissing(nil, "token", "")
	}
	return t.Token, nil
}

func (tx *Tx) expired(t hub.Token) bool { return !t.Expires.IsZero() && !t.Expires.After(tx.now()) }

// Tokens returns an owner's tokens that are not expired, in the order in which they were made.
func (tx *Tx) Tokens(o hub.Owner) (tokens []hub.Token) {
	for _, id := range tx.keys(indexTokenOwner, key(string(o.Kind), o.Name, "")) {
		if t, err := tx.token(unnumber(id)); err == nil && !tx.expired(t.Token) {
			tokens = append(tokens, t.Token)
		}
	}
	return tokens
}

// UsedTokens returns the tokens that somebody has come with, the latest first and so many at most. Those that are expired, and servers' own,
// are not among them.
func (tx *Tx) UsedTokens(most int) (used []hub.Token) {
	for _, id := range tx.keys(bucketTokens, nil) {
		t, err := tx.token(unnumber(id))
		if err == nil && !t.LastActivity.IsZero() && !t.ServerToken && !tx.expired(t.Token) {
			used = append(used, t.Token)
		}
	}
	slices.SortFunc(used, func(a, b hub.Token) int { return b.LastActivity.Compare(a.LastActivity) })
	return used[:min(most, len(used))]
}

// NewToken makes a token and its value, 32 hex digits, which is shown this once. The owner must exist, as must the client
// and the session that it names: a session that was logged out while a code was on its way gets no token. An owner who has
// too many gets TooMany.
func (tx *Tx) NewToken(t hub.Token) (value string, _ hub.Token, err error) {
	value = random(32, hexDigits)
	t, err = tx.PutTokenValue(t, value)
	return value, t, err
}

// NewServerToken makes the token of a server's own process in place of the one that it had, so that a unit that systemd
// restarts leaves no old token behind.
func (tx *Tx) NewServerToken(ref hub.ServerRef, t hub.Token) (value string, _ hub.Token, err error) {
	if _, err := tx.Server(ref); err != nil {
		return "", hub.Token{}, err
	}
	if err := tx.DeleteServerToken(ref); err != nil {
		return "", hub.Token{}, err
	}
	t.ServerToken = true
	value = random(32, hexDigits)
	rec, err := tx.addToken(tokenRecord{Token: t, Hash: hash(value), Server: ref})
	return value, rec.Token, err
}

// minTokenValue is how long a token that an admin made must be; upstream has the same limit.
const minTokenValue = 8

// PutTokenValue stores a token whose value was made elsewhere, at least 8 characters. The same value for the same owner
// again changes what the token may do and says; for another owner it is a Conflict.
func (tx *Tx) PutTokenValue(t hub.Token, value string) (hub.Token, error) {
	if len(value) < minTokenValue {
		return hub.Token{}, hub.Errorf(hub.Invalid, "a token has at least %d characters", minTokenValue)
	}
	if t.ServerToken {
		return hub.Token{}, hub.Errorf(hub.Invalid, "a server's own token is made for its server")
	}
	old, err := tx.token(unnumber(tx.get(indexTokenHash, hash(value))))
	switch {
	case hub.KindOf(err) == hub.NotFound:
		rec, err := tx.addToken(tokenRecord{Token: t, Hash: hash(value)})
		return rec.Token, err
	case err != nil:
		return hub.Token{}, err
	case old.Owner != t.Owner || old.ServerToken || old.Client != t.Client || old.Session != t.Session:
		return hub.Token{}, hub.Errorf(hub.Conflict, "this token belongs to somebody else")
	}
	err = tx.changeToken(old.ID, func(r *tokenRecord) { r.Scopes, r.Note, r.Expires = t.Scopes, t.Note, t.Expires })
	if err != nil {
		return hub.Token{}, err
	}
	return tx.Token(old.ID)
}

// maxTokens bounds how many tokens one owner has, those of OAuth clients included.
const maxTokens = 2000

func (tx *Tx) addToken(t tokenRecord) (tokenRecord, error) {
	if err := tx.checkReferences(t.Token); err != nil {
		return tokenRecord{}, err
	}
	if len(tx.keys(indexTokenOwner, key(string(t.Owner.Kind), t.Owner.Name, ""))) >= maxTokens {
		return tokenRecord{}, orCrowded(nil, "too many tokens: revoke some that are not needed any more", 0)
	}
	id, err := tx.bucket(bucketTokens).NextSequence()
	if err != nil {
		return tokenRecord{}, err
	}
	t.ID = id
	if t.Created.IsZero() {
		t.Created = tx.now().UTC()
	}
	tx.expires(t.Expires)
	return t, save(tx, bucketTokens, number(t.ID), t, nil, tokenRows(t))
}

// checkReferences refuses a token of somebody or something that is not there.
func (tx *Tx) checkReferences(t hub.Token) (err error) {
	switch t.Owner.Kind {
	case hub.OwnerUser:
		_, err = tx.User(t.Owner.Name)
	case hub.OwnerService:
		_, err = tx.Service(t.Owner.Name)
	default:
		err = hub.Errorf(hub.Invalid, "a token belongs to a user or a service")
	}
	if err == nil && t.Client != "" {
		_, err = tx.Client(t.Client)
	}
	if err == nil && t.Session != "" {
		_, err = tx.Session(t.Session)
	}
	return err
}

func (tx *Tx) changeToken(id uint64, change func(*tokenRecord)) error {
	t, ok, err := load[tokenRecord](tx, bucketTokens, number(id))
	if err != nil || !ok {
		return orMissing(err, "token", "")
	}
	old := tokenRows(t)
	change(&t)
	tx.expires(t.Expires)
	return save(tx, bucketTokens, number(id), t, old, tokenRows(t))
}

// DeleteToken revokes a token.
func (tx *Tx) DeleteToken(id uint64) error {
	t, ok, err := load[tokenRecord](tx, bucketTokens, number(id))
	if err != nil || !ok {
		return orMissing(err, "token", "")
	}
	tx.ended = append(tx.ended, hex.EncodeToString(t.Hash))
	return tx.erase(bucketTokens, number(id), tokenRows(t))
}

// TokenName returns the SHA-256 of a token's value in hexadecimal digits, by which the proxy knows it.
func (tx *Tx) TokenName(id uint64) (string, error) {
	t, err := tx.token(id)
	return hex.EncodeToString(t.Hash), err
}

// DeleteTokensOf revokes all tokens of an owner.
func (tx *Tx) DeleteTokensOf(o hub.Owner) error {
	return tx.deleteTokens(indexTokenOwner, key(string(o.Kind), o.Name, ""))
}

// DeleteTokensOfClient revokes all tokens that were issued to an OAuth client.
func (tx *Tx) DeleteTokensOfClient(client string) error {
	return tx.deleteTokens(indexTokenClient, key(client, ""))
}

// DeleteOwnerTokensOfClient revokes those of an owner's tokens that were issued to an OAuth client: revoking one of them on
// the token page means all (specification 1.5).
func (tx *Tx) DeleteOwnerTokensOfClient(o hub.Owner, client string) error {
	for _, id := range tx.keys(indexTokenClient, key(client, "")) {
		t, err := tx.token(unnumber(id))
		if err != nil {
			return err
		}
		if t.Owner == o {
			if err := tx.DeleteToken(t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// DeleteTokensOfSession revokes all tokens that were issued through a browser's session.
func (tx *Tx) DeleteTokensOfSession(session string) error {
	return tx.deleteTokens(indexTokenSession, key(session, ""))
}

// DeleteServerToken revokes a server's own token, if it has one.
func (tx *Tx) DeleteServerToken(ref hub.ServerRef) error {
	if id := tx.get(indexTokenServer, serverKey(ref)); id != "" {
		return tx.DeleteToken(unnumber(id))
	}
	return nil
}

func (tx *Tx) deleteTokens(index string, prefix []byte) error {
	for _, id := range tx.keys(index, prefix) {
		if err := tx.DeleteToken(unnumber(id)); err != nil {
			return err
		}
	}
	return nil
}
