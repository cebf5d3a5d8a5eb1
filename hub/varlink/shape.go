package varlink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"

	"jupyterhubd/hub"
)

// checkShape reports whether b is exactly one JSON object of bounded depth without ambiguous keys.
func checkShape(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var open []frame
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return hub.Errorf(hub.Invalid, "message: the JSON object does not end")
		case err != nil:
			return hub.Errorf(hub.Invalid, "message: not JSON: %v", err)
		case len(open) == 0 && token != json.Delim('{'):
			return hub.Errorf(hub.Invalid, "message: not a JSON object")
		}
		if open, err = step(open, token); err != nil {
			return err
		}
		if len(open) == 0 {
			return checkEnd(d)
		}
	}
}

// frame is one object or array that is open while the tokens pass by.
type frame struct {
	keys map[string]bool // folded keys seen; nil in an array
	key  bool            // an object's next token is a key
}

func step(open []frame, token json.Token) ([]frame, error) {
	switch token {
	case json.Delim('{'), json.Delim('['):
		if len(open) >= MaxDepth {
			return nil, hub.Errorf(hub.Invalid, "message: more than %d levels deep", MaxDepth)
		}
		if token == json.Delim('[') {
			return append(open, frame{}), nil
		}
		return append(open, frame{keys: map[string]bool{}, key: true}), nil
	case json.Delim('}'), json.Delim(']'):
		return valueEnds(open[:len(open)-1]), nil
	}
	top := &open[len(open)-1]
	if !top.key {
		return valueEnds(open), nil
	}
	name := strings.Map(fold, token.(string)) // the decoder lets only strings stand here
	if top.keys[name] {
		return nil, hub.Errorf(hub.Invalid, "message: key %q stands twice", name)
	}
	top.keys[name], top.key = true, false
	return open, nil
}

// fold maps letters that encoding/json takes for one another to one of them: it would read "uſer" as "user".
func fold(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next // the smallest of its cycle
		}
		r = next
	}
}

// valueEnds notes that the enclosing object expects a key again.
func valueEnds(open []frame) []frame {
	if n := len(open); n > 0 && open[n-1].keys != nil {
		open[n-1].key = true
	}
	return open
}

func checkEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return hub.Errorf(hub.Invalid, "message: something follows the JSON object")
	}
	return nil
}
