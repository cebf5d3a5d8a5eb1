package credential

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// Environment is variables by name.
type Environment map[string]string

// MaxSize is the largest credential in bytes; systemd's own limit is 1 MiB.
const MaxSize = 64 << 10

// trailer begins the last line: "length <bytes before the line> sha256 <hex of them>".
const trailer = "length "

// Encode writes the variables as NAME=VALUE ended by NUL, sorted, and closes with their length and checksum.
func Encode(env Environment) ([]byte, error) {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !Allowed(name) {
			return nil, fmt.Errorf("the hub may not set %q", name)
		}
		if strings.ContainsRune(env[name], 0) {
			return nil, fmt.Errorf("the value of %s contains a NUL", name)
		}
		fmt.Fprintf(&b, "%s=%s\x00", name, env[name])
	}
	b.WriteString(closing(b.Bytes()))
	if b.Len() > MaxSize {
		return nil, hub.Errorf(hub.TooLarge, "a server's environment is at most %d bytes", MaxSize)
	}
	return b.Bytes(), nil
}

// Decode is the inverse of Encode. Anything partial, altered, doubled or not allowed is an error of kind Invalid.
func Decode(b []byte) (Environment, error) {
	if len(b) == 0 {
		return nil, hub.Errorf(hub.Invalid, "the credential is empty")
	}
	if len(b) > MaxSize {
		return nil, hub.Errorf(hub.Invalid, "the credential is longer than %d bytes", MaxSize)
	}
	body, err := verified(b)
	if err != nil {
		return nil, err
	}
	env := Environment{}
	for len(body) > 0 {
		var variable []byte
		var ended bool
		if variable, body, ended = bytes.Cut(body, []byte{0}); !ended {
			return nil, hub.Errorf(hub.Invalid, "the credential's last variable does not end")
		}
		name, value, found := strings.Cut(string(variable), "=")
		if !found || !Allowed(name) {
			return nil, hub.Errorf(hub.Invalid, "the credential sets %q, which the hub may not", name)
		}
		if _, twice := env[name]; twice {
			return nil, hub.Errorf(hub.Invalid, "the credential sets %s twice", name)
		}
		env[name] = value
	}
	return env, nil
}

// verified returns what stands before the closing line, if that line is true.
func verified(b []byte) ([]byte, error) {
	at := bytes.LastIndexByte(b, 0) + 1
	length, _, ok := strings.Cut(strings.TrimPrefix(string(b[at:]), trailer), " ")
	if n, err := strconv.Atoi(length); !ok || err != nil || n != at {
		return nil, hub.Errorf(hub.Invalid, "the credential is incomplete")
	}
	if string(b[at:]) != closing(b[:at]) {
		return nil, hub.Errorf(hub.Invalid, "the credential does not match its checksum")
	}
	return b[:at], nil
}

func closing(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%s%d sha256 %s\n", trailer, len(body), hex.EncodeToString(sum[:]))
}
