package varlink

import (
	"encoding/json"
	"errors"
	"strings"

	"jupyterhubd/hub"
)

// refused is the one error that our interfaces declare, qualified by the interface's name.
const refused = ".Refused"

// refusal carries a hub.Error over the wire. What happened inside (Error.Err) stays inside.
type refusal struct {
	Kind  string     `json:"kind"`
	Text  string     `json:"text"`
	Cause *hub.Cause `json:"cause,omitempty"`
}

// The errors of org.varlink.service that a peer may get.
const (
	errInterfaceNotFound = "org.varlink.service.InterfaceNotFound"
	errMethodNotFound    = "org.varlink.service.MethodNotFound"
	errInvalidParameter  = "org.varlink.service.InvalidParameter"
	errPermissionDenied  = "org.varlink.service.PermissionDenied"
)

// standard is an error of org.varlink.service.
type standard struct {
	name       string
	parameters any
}

func (s standard) Error() string { return s.name }

// toReply turns a handler's error into the answer of a method of the named interface.
func toReply(interfaceName string, err error) reply {
	var std standard
	if errors.As(err, &std) {
		return reply{Error: std.name, Parameters: mustEncode(std.parameters)}
	}
	r := refusal{Kind: hub.KindOf(err).String(), Text: hub.TextOf(err)}
	var e *hub.Error
	if errors.As(err, &e) {
		r.Cause = e.Cause
	}
	return reply{Error: interfaceName + refused, Parameters: mustEncode(r)}
}

// fromReply is its inverse on the caller's side.
func fromReply(r reply) error {
	if strings.HasSuffix(r.Error, refused) {
		var f refusal
		if err := json.Unmarshal(r.Parameters, &f); err != nil {
			return hub.Errorf(hub.Unavailable, "the answer cannot be read: %v", err)
		}
		return &hub.Error{Kind: hub.ParseKind(f.Kind), Text: f.Text, Cause: f.Cause}
	}
	kind := hub.Unavailable
	switch r.Error {
	case errInterfaceNotFound, errMethodNotFound:
		kind = hub.NotFound
	case errInvalidParameter:
		kind = hub.Invalid
	case errPermissionDenied:
		kind = hub.Forbidden
	}
	return hub.Errorf(kind, "%s %s", r.Error, r.Parameters)
}

// mustEncode encodes values of this package's own types, which cannot fail.
func mustEncode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("varlink: " + err.Error())
	}
	return b
}
