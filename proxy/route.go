package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"

	"jupyterhubd/hub"
)

// route leads every path below its own to one upstream. What it was made of does not change; a changed route is a new one.
type route struct {
	key      string // decoded, without a trailing slash: "/user/jo@ex.org"; "/" is the root
	prefix   string // the key without the host that it begins with under host routing; "" is the root
	spelling string // the prefix as the upstream spells it, escaped
	data     map[string]json.RawMessage
	about    about
	uid      int64 // who must listen at a Unix target, or hub.NoUID
	target   target
	spec     string // the target as it was posted
	jar      jar
	posted   string // the path as it was posted
	unsaved  bool   // the default target, which the command line sets anew at each start
	up       *upstream
	load     *load // of whoever it belongs to; nil: it is everybody's
}

// about is what the route's data says of whom it belongs to.
type about struct {
	Hub        bool   `json:"hub"`
	User       string `json:"user"`
	ServerName string `json:"server_name"`
	Service    string `json:"service"`
	Wake       string `json:"wake"`
}

// newRoute makes a route of a path and of the data that was posted for it, all of which is kept as given.
func newRoute(path string, data map[string]json.RawMessage, hosts bool) (*route, error) {
	r, err := readKey(path, hosts)
	if err != nil {
		return nil, err
	}
	var spec string
	if err := json.Unmarshal(data["target"], &spec); err != nil || data["target"] == nil || isNull(data["target"]) {
		return nil, hub.Errorf(hub.Invalid, "must specify 'target' as string")
	}
	to, err := readTarget(spec)
	if err != nil {
		return nil, err
	}
	uid, err := readUID(data["uid"], to.unix)
	if err != nil {
		return nil, err
	}
	data = maps.Clone(data)
	delete(data, "last_activity") // ours to say
	r.data, r.about, r.uid, r.target, r.spec = data, readAbout(data), uid, to, spec
	r.posted, r.jar = path, jarOf(r)
	return r, nil
}

// readKey makes a route that has a key and nothing else yet. A trailing slash says nothing. With hosts the first segment is
// a host.
func readKey(path string, hosts bool) (*route, error) {
	path = strings.TrimRight(path, "/")
	if path == "" {
		return &route{key: "/"}, nil
	}
	p, err := readPath(path)
	if err != nil {
		return nil, err
	}
	if p.plain < len(p.ends) || strings.Contains(p.raw, "//") {
		return nil, hub.Errorf(hub.Invalid, "a route's path has no empty segment and no encoded slash")
	}
	if !hosts {
		return &route{key: p.decoded, prefix: p.decoded, spelling: normalEscapes(p.raw)}, nil
	}
	host, rest := hostKey(p.decoded[1:p.ends[0]]), p.decoded[p.ends[0]:]
	return &route{key: "/" + host + rest, prefix: rest, spelling: normalEscapes(p.raw[p.rawEnds[0]:])}, nil
}

// readAbout reads each key alone: one of a foreign type says nothing, and spoils no other.
func readAbout(data map[string]json.RawMessage) about {
	var a about
	read := func(key string, v any) {
		if raw, ok := data[key]; ok && json.Unmarshal(raw, v) != nil {
			return
		}
	}
	read("hub", &a.Hub)
	read("user", &a.User)
	read("server_name", &a.ServerName)
	read("service", &a.Service)
	read("wake", &a.Wake)
	return a
}

// readUID reads who must be listening. The key is ours, and means something at Unix targets alone.
func readUID(raw json.RawMessage, unix bool) (int64, error) {
	if raw == nil || isNull(raw) || !unix {
		return hub.NoUID, nil
	}
	var uid int64
	if err := json.Unmarshal(raw, &uid); err != nil || uid < 0 || uid >= math.MaxUint32 {
		return 0, hub.Errorf(hub.Invalid, "'uid' is not a user's number")
	}
	return uid, nil
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(raw, []byte("null")) }

// ref names the user's server that the route leads to; zero for other routes.
func (r *route) ref() hub.ServerRef {
	return hub.ServerRef{User: r.about.User, Server: r.about.ServerName}
}

// isHub reports whether the route leads to the hub: it says so, or it is what everything without a route goes to and says
// nothing of an owner.
func (r *route) isHub() bool {
	return r.about.Hub || r.key == "/" && r.about.User == "" && r.about.Service == ""
}

// timeLayout is JavaScript's Date.toISOString, which JupyterHub parses.
const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the route as the REST API shows it: what was posted, and last_activity.
func (r *route) MarshalJSON() ([]byte, error) {
	out := maps.Clone(r.data)
	out["last_activity"] = fmt.Appendf(nil, "%q", r.up.lastActivity().Format(timeLayout))
	return json.Marshal(out)
}

// below returns the path that is left of a request's when the route's own part is cut off.
func (r *route) below(p place) string {
	for i, end := range p.ends {
		if end == len(r.prefix) {
			return cmp.Or(p.raw[p.rawEnds[i]:], "/")
		}
	}
	return p.raw
}

// at returns the path that goes upstream: the route's own part in the upstream's spelling, the rest as it came. A client may
// write /user/jo%40ex.org/ where the server behind compares with /user/jo@ex.org/ byte by byte.
func (r *route) at(p place) string {
	if r.prefix == "" {
		return p.raw
	}
	for i, end := range p.ends {
		if end == len(r.prefix) {
			return r.spelling + p.raw[p.rawEnds[i]:]
		}
	}
	return p.raw
}
