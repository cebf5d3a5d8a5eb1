package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"jupyterhubd/hub"
)

// The transformations of RFC 7636, 4.2. Without a word about it the challenge is plain.
const (
	methodS256  = "S256"
	methodPlain = "plain"
)

// maxVerifier is the longest verifier of RFC 7636, 4.1.
const maxVerifier = 128

// proves reports whether a verifier is the one that a code's challenge was made from.
func proves(c hub.Code, verifier string) bool {
	if c.ChallengeMethod == methodS256 {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(c.Challenge)) == 1
}
