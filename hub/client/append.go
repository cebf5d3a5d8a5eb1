package client

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Appender is a model that writes its own JSON, byte for byte what encoding/json makes of it. Lists of a thousand users are
// encoded ten times as fast by it.
type Appender interface {
	AppendJSON(b []byte) ([]byte, error)
}

// Users is a list of users.
type Users []User

// AppendJSON is Appender's.
func (l Users) AppendJSON(b []byte) (_ []byte, err error) {
	b = append(b, '[')
	for i := range l {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = l[i].AppendJSON(b); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// AppendJSON is Appender's.
func (p Page[T]) AppendJSON(b []byte) (_ []byte, err error) {
	b = append(b, `{"items":`...)
	if b, err = appendAny(b, p.Items); err != nil {
		return b, err
	}
	b = append(b, `,"_pagination":`...)
	if b, err = appendAny(b, p.Pagination); err != nil {
		return b, err
	}
	return append(b, '}'), nil
}

// AppendJSON is Appender's.
func (u User) AppendJSON(b []byte) ([]byte, error) {
	b, err := u.appendOpen(b)
	return append(b, '}'), err
}

// AppendJSON is Appender's.
func (i Identity) AppendJSON(b []byte) ([]byte, error) {
	b, err := i.User.appendOpen(b)
	b = appendText(append(b, `,"token_id":`...), string(i.TokenID))
	b = appendText(append(b, `,"session_id":`...), string(i.SessionID))
	b = appendStrings(append(b, `,"scopes":`...), i.Scopes)
	return append(b, '}'), err
}

// appendOpen writes a user without the last brace.
func (u User) appendOpen(b []byte) (_ []byte, err error) {
	b = appendString(append(b, `{"kind":`...), u.Kind)
	b = appendString(append(b, `,"name":`...), u.Name)
	if u.Admin.Shown {
		b = strconv.AppendBool(append(b, `,"admin":`...), u.Admin.Value)
	}
	if u.UserInfo.Shown {
		if b, err = appendRaw(append(b, `,"user_info":`...), u.UserInfo.Value); err != nil {
			return b, err
		}
	}
	if u.Roles.Shown {
		b = appendStrings(append(b, `,"roles":`...), u.Roles.Value)
	}
	if u.Groups.Shown {
		b = appendStrings(append(b, `,"groups":`...), u.Groups.Value)
	}
	if u.Server.Shown {
		b = appendText(append(b, `,"server":`...), string(u.Server.Value))
	}
	if u.Pending.Shown {
		b = appendText(append(b, `,"pending":`...), string(u.Pending.Value))
	}
	if u.Created.Shown {
		b = u.Created.Value.append(append(b, `,"created":`...))
	}
	if u.LastActivity.Shown {
		b = u.LastActivity.Value.append(append(b, `,"last_activity":`...))
	}
	if u.AuthState.Shown {
		if b, err = appendRaw(append(b, `,"auth_state":`...), u.AuthState.Value); err != nil {
			return b, err
		}
	}
	if u.Servers.Shown {
		b, err = appendServers(append(b, `,"servers":`...), u.Servers.Value)
	}
	return b, err
}

func appendServers(b []byte, servers map[string]Server) (_ []byte, err error) {
	if servers == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(servers)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		if b, err = servers[name].AppendJSON(b); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// AppendJSON is Appender's. What few servers have is left to encoding/json.
func (s Server) AppendJSON(b []byte) (_ []byte, err error) {
	b = appendString(append(b, `{"name":`...), s.Name)
	b = append(b, `,"display_name":`...)
	if s.DisplayName == nil {
		b = append(b, "null"...)
	} else {
		b = appendString(b, *s.DisplayName)
	}
	b = appendString(append(b, `,"full_name":`...), s.FullName)
	b = s.LastActivity.append(append(b, `,"last_activity":`...))
	b = s.Started.append(append(b, `,"started":`...))
	b = appendText(append(b, `,"pending":`...), string(s.Pending))
	b = strconv.AppendBool(append(b, `,"ready":`...), s.Ready)
	b = strconv.AppendBool(append(b, `,"stopped":`...), s.Stopped)
	b = appendString(append(b, `,"url":`...), s.URL)
	if b, err = appendRaw(append(b, `,"user_options":`...), s.UserOptions); err != nil {
		return b, err
	}
	b = appendString(append(b, `,"progress_url":`...), s.ProgressURL)
	b = appendText(append(b, `,"full_url":`...), string(s.FullURL))
	b = appendText(append(b, `,"full_progress_url":`...), string(s.FullProgressURL))
	if s.State.Shown {
		if b, err = appendAny(append(b, `,"state":`...), s.State.Value); err != nil {
			return b, err
		}
	}
	if s.Failure != nil {
		if b, err = appendAny(append(b, `,"failure":`...), s.Failure); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendAny(b []byte, v any) ([]byte, error) {
	if a, ok := v.(Appender); ok {
		return a.AppendJSON(b)
	}
	raw, err := json.Marshal(v)
	return append(b, raw...), err
}

// appendRaw writes JSON that came from elsewhere; encoding/json checks and compacts it.
func appendRaw(b []byte, raw json.RawMessage) ([]byte, error) {
	switch {
	case raw == nil, string(raw) == "null":
		return append(b, "null"...), nil
	}
	return appendAny(b, raw)
}

func appendText(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

func appendStrings(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString writes a string; one that needs no escape as it is.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f {
			raw, _ := json.Marshal(s) // a string always can be
			return append(b, raw...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// append writes null or the moment, cut to microseconds.
func (t Time) append(b []byte) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	u := t.UTC().Truncate(time.Microsecond)
	if u.Nanosecond() == 0 {
		return u.AppendFormat(b, wholeSeconds)
	}
	return u.AppendFormat(b, microseconds)
}
