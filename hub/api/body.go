package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// object is the JSON object that a request brings, field by field, so that absent, null and empty can be told apart. It is
// nil when the body is empty, or null.
type object map[string]json.RawMessage

// readObject reads the body, whatever its Content-Type says. Anything but an object or nothing at all is refused, and an
// object that says a thing twice too.
func readObject(r *http.Request) (object, error) {
	raw, err := io.ReadAll(r.Body)
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, err
	case err != nil:
		return nil, hub.Errorf(hub.Invalid, "The request ended before its body did")
	case len(bytes.TrimSpace(raw)) == 0, string(bytes.TrimSpace(raw)) == "null":
		return nil, nil
	}
	return parseObject(raw)
}

func parseObject(raw []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil {
		return nil, hub.Errorf(hub.Invalid, "Invalid JSON in body of request")
	} else if t != json.Delim('{') {
		return nil, hub.Errorf(hub.Invalid, "The body of the request must be a JSON object")
	}
	o := object{}
	for d.More() {
		key, err := d.Token()
		name, _ := key.(string)
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, hub.Errorf(hub.Invalid, "Invalid JSON in body of request")
		}
		if _, twice := o[name]; twice {
			return nil, hub.Errorf(hub.Invalid, "The body of the request has %q twice", name)
		}
		o[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, hub.Errorf(hub.Invalid, "Invalid JSON in body of request")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, hub.Errorf(hub.Invalid, "The body of the request goes on after its JSON")
	}
	return o, nil
}

// has reports whether a field is there and not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && !bytes.Equal(v, []byte("null"))
}

// into decodes a field that is there and not null; v keeps its value otherwise. want says in words what the field must be.
func (o object) into(name string, v any, want string) error {
	if !o.has(name) {
		return nil
	}
	if err := json.Unmarshal(o[name], v); err != nil {
		return hub.Errorf(hub.Invalid, "%s must be %s", name, want)
	}
	return nil
}

// must is into for a field that may be absent, but not null.
func (o object) must(name string, v any, want string) error {
	if _, there := o[name]; there && !o.has(name) {
		return hub.Errorf(hub.Invalid, "%s must be %s", name, want)
	}
	return o.into(name, v, want)
}

// only refuses fields that are not in names.
func (o object) only(names ...string) error {
	for name := range o {
		if !slices.Contains(names, name) {
			return hub.Errorf(hub.Invalid, "Invalid key in body of request: %q; allowed are %s", short(name), strings.Join(names, ", "))
		}
	}
	return nil
}

// isObject reports whether raw JSON is an object.
func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
}

func short(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
