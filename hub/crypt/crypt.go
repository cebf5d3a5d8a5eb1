package crypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"

	"jupyterhubd/hub"
)

// The form of what is sealed: this version, the sealing key's name, then nonce, ciphertext and tag of AES-256-GCM.
const (
	version  = 1
	nameSize = 8 // bytes
	headSize = 1 + nameSize
)

// What the two keys that come of an admin's key are for (RFC 5869, info). JupyterHub uses the same key as a Fernet key: what
// seals here must be another one.
const (
	forSealing = "jupyterhubd crypt v1 seal"
	forNaming  = "jupyterhubd crypt v1 name"
)

// Keys seal with the first and open with any. The zero value has none.
type Keys struct{ keys []key }

type key struct {
	name []byte // tells keys apart, and nothing of the key
	aead cipher.AEAD
}

// newKey derives what seals from 32 bytes that an admin chose.
func newKey(raw []byte) (key, error) {
	derive := func(what string, size int) []byte {
		out, err := hkdf.Key(sha256.New, raw, nil, what, size)
		if err != nil {
			panic(err) // only a size that is too long
		}
		return out
	}
	block, err := aes.NewCipher(derive(forSealing, 32))
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return key{derive(forNaming, nameSize), aead}, err
}

// None reports whether there is no key.
func (k Keys) None() bool { return len(k.keys) == 0 }

// Seal returns plain so that it opens with the first of these keys, and with the same about alone.
func (k Keys) Seal(plain, about []byte) ([]byte, error) {
	if k.None() {
		return nil, hub.Errorf(hub.Invalid, "there is no key to seal with")
	}
	first := k.keys[0]
	out := append([]byte{version}, first.name...)
	return first.aead.Seal(out, nil, plain, whole(out, about)), nil
}

// Open returns what was sealed. The error, of kind Unavailable, says in words for the log whether a key is missing or the bytes
// are not what Seal returned.
func (k Keys) Open(sealed, about []byte) ([]byte, error) {
	if len(sealed) < headSize || sealed[0] != version {
		return nil, hub.Errorf(hub.Unavailable, "it is damaged, or a newer release sealed it")
	}
	head, rest := sealed[:headSize], sealed[headSize:]
	for _, candidate := range k.keys {
		if !bytes.Equal(candidate.name, head[1:]) {
			continue
		}
		plain, err := candidate.aead.Open(nil, nil, rest, whole(head, about))
		if err != nil {
			return nil, hub.Errorf(hub.Unavailable, "it was changed, or belongs to something else")
		}
		return plain, nil
	}
	return nil, hub.Errorf(hub.Unavailable, "the key that sealed it is not among the keys that there are")
}

// First reports whether the first key sealed this. What another one sealed should be sealed again.
func (k Keys) First(sealed []byte) bool {
	return !k.None() && len(sealed) >= headSize && sealed[0] == version && bytes.Equal(sealed[1:headSize], k.keys[0].name)
}

// whole is what is authenticated beside the plain text; the head has one length, so it cannot be taken for a part of about.
func whole(head, about []byte) []byte { return append(head[:headSize:headSize], about...) }
