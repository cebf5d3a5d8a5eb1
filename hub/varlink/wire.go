package varlink

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"jupyterhubd/hub"
)

// Limits on what a peer may send.
const (
	MaxMessage = 1 << 20   // bytes, the closing NUL not counted
	MaxRequest = 128 << 10 // bytes of what a caller says: a door holds as much for every connection
	MaxDepth   = 32        // nested objects and arrays
)

// call is a request on the wire.
type call struct {
	Method     string          `json:"method"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	More       bool            `json:"more,omitempty"`
	Oneway     bool            `json:"oneway,omitempty"`
	Upgrade    bool            `json:"upgrade,omitempty"`
}

// reply is an answer on the wire.
type reply struct {
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Continues  bool            `json:"continues,omitempty"`
	Error      string          `json:"error,omitempty"`
}

// readMessage reads up to the next NUL, so many bytes at most. io.EOF means that the peer left between two messages.
func readMessage(r *bufio.Reader, most int) ([]byte, error) {
	var message []byte
	for {
		part, err := r.ReadSlice(0)
		message = append(message, part...)
		if len(message) > most+1 {
			return nil, tooLong(most)
		}
		switch {
		case err == nil:
			return message[:len(message)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(message) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

func tooLong(most int) error { return hub.Errorf(hub.TooLarge, "a message is at most %d bytes", most) }

func writeMessage(w io.Writer, v any, most int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(b) > most {
		return tooLong(most)
	}
	_, err = w.Write(append(b, 0))
	return err
}

// decodeStrict reads one JSON object into v: no unknown keys, no duplicates, nothing after it, bounded depth.
func decodeStrict(b []byte, v any) error {
	if err := checkShape(b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return hub.Errorf(hub.Invalid, "message: %v", err)
	}
	return nil
}
