package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// difference is one thing in which two answers to the same request differ.
type difference struct {
	step     step
	facet    string // "status", "Content-Type", ".servers.name"
	upstream string
	ours     string
}

// about spells a difference as the table of those that are allowed has it, whoever asked.
func (d difference) about() string {
	request := d.step.method + " " + d.step.path
	if d.step.kind != "" && d.step.kind != "good" {
		request += " [" + d.step.kind + "]"
	}
	return fmt.Sprintf("%s | %s | %s | %s", request, d.facet, d.upstream, d.ours)
}

// compare tells every difference between two answers. Where statuses differ, the rest is not looked at.
func compare(st step, upstream, ours reply) (all []difference) {
	tell := func(facet, u, o string) {
		if u != o {
			all = append(all, difference{st, facet, u, o})
		}
	}
	if upstream.status != ours.status {
		tell("status", fmt.Sprint(upstream.status), fmt.Sprint(ours.status))
		return all
	}
	for _, name := range headersThatMatter {
		tell(name, headerOf(upstream, name), headerOf(ours, name))
	}
	if kind := typeOf(upstream); kind == typeOf(ours) {
		u, o := shapeOf(kind, upstream.body), shapeOf(kind, ours.body)
		diffValues("", u, o, tell)
	}
	return all
}

// headersThatMatter are those that clients go by.
var headersThatMatter = []string{
	"Content-Type", "Location", "Cache-Control", "Pragma", "Www-Authenticate", "Set-Cookie", "X-Jupyterhub-Version", "Retry-After", "Allow",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Credentials",
	"Content-Security-Policy",
}

func headerOf(r reply, name string) string {
	if name != "Set-Cookie" {
		return normal(strings.Join(r.header.Values(name), ", "))
	}
	var cookies []string
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		cookies = append(cookies, cookieShape(c))
	}
	slices.Sort(cookies)
	return strings.Join(slices.Compact(cookies), ", ")
}

// cookieShape is a cookie without its value and times.
func cookieShape(c *http.Cookie) string {
	text := c.Name + " Path=" + c.Path
	if c.Domain != "" {
		text += " Domain=" + c.Domain
	}
	if c.Value == "" {
		return text + " (gone)"
	}
	for name, is := range map[string]bool{" HttpOnly": c.HttpOnly, " Secure": c.Secure, " lasting": c.MaxAge > 0 || !c.Expires.IsZero()} {
		if is {
			text += name
		}
	}
	words := strings.Fields(text)
	slices.Sort(words[2:])
	return strings.Join(words, " ")
}

func typeOf(r reply) string {
	kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	return kind
}

// shapeOf is what of a body is compared: JSON whole, events by what the first and the last tell, pages by their forms.
func shapeOf(kind, body string) any {
	switch kind {
	case "application/json":
		return parsed(body)
	case "text/event-stream":
		var events []any
		for _, line := range strings.Split(body, "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if len(events) > 0 && failed(events[len(events)-1]) {
					events = events[:len(events)-1] // ours tells the cause again when the journal was read
				}
				events = append(events, parsed(data))
			}
		}
		if len(events) > 2 {
			events = []any{events[0], events[len(events)-1]}
		}
		return events
	case "text/html":
		return forms(body)
	case "text/plain":
		return body == "" // metrics are compared elsewhere
	}
	return normal(body)
}

func failed(event any) bool {
	e, ok := event.(map[string]any)
	return ok && e["failed"] == true
}

func parsed(body string) any {
	var v any
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "not JSON: " + body
	}
	return v
}

// forms are the forms of a page: where they lead and what they send.
func forms(page string) (all []any) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return []any{err.Error()}
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		fields := map[string]any{"method": strings.ToLower(attribute(n, "method")), "action": normal(attribute(n, "action"))}
		for f := range n.Descendants() {
			if name := attribute(f, "name"); name != "" && slices.Contains([]string{"input", "select", "textarea"}, f.Data) {
				fields["field "+name] = attribute(f, "type")
			}
		}
		all = append(all, fields)
	}
	return all
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// diffValues walks through two JSON values. Lists of strings are sets.
func diffValues(at string, u, o any, tell func(facet, u, o string)) {
	switch u := u.(type) {
	case map[string]any:
		if o, ok := o.(map[string]any); ok {
			diffObjects(at, u, o, tell)
			return
		}
	case []any:
		if o, ok := o.([]any); ok && (len(u) == len(o) || areStrings(u) && areStrings(o)) {
			diffLists(at, u, o, tell)
			return
		}
	}
	tell(at, spelled(u, at), spelled(o, at))
}

func diffObjects(at string, u, o map[string]any, tell func(facet, u, o string)) {
	keys := maps.Clone(u)
	maps.Copy(keys, o)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		uv, inU := u[key]
		ov, inO := o[key]
		switch {
		case !inO:
			tell(at+"."+key, spelled(uv, key), "absent")
		case !inU:
			tell(at+"."+key, "absent", spelled(ov, key))
		case key == "url" && strings.Contains(fmt.Sprint(uv), "?"):
			tell(at+"."+key, queryOf(uv), queryOf(ov))
		default:
			diffValues(at+"."+key, uv, ov, tell)
		}
	}
}

// queryOf spells an address with its query in order.
func queryOf(v any) string {
	u, err := url.Parse(fmt.Sprint(v))
	if err != nil {
		return err.Error()
	}
	u.RawQuery = u.Query().Encode()
	return normal(u.String())
}

func diffLists(at string, u, o []any, tell func(facet, u, o string)) {
	if areStrings(u) && areStrings(o) {
		tell(at, sorted(u), sorted(o))
		return
	}
	byNote(u)
	byNote(o)
	for i := range u {
		diffValues(at+"[]", u[i], o[i], tell)
	}
}

// byNote sorts tokens, whose order goes by times that differ from run to run.
func byNote(list []any) {
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(noteOf(a), noteOf(b)) })
}

func noteOf(v any) string {
	token, _ := v.(map[string]any)
	note, _ := token["note"].(string)
	return note + fmt.Sprint(token["scopes"] != nil && note != "", len(fmt.Sprint(token["scopes"])))
}

func areStrings(list []any) bool {
	for _, v := range list {
		if _, ok := v.(string); !ok {
			return false
		}
	}
	return true
}

func sorted(list []any) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = normal(v.(string))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// spelled writes a JSON value. Sentences for people are each hub's own.
func spelled(v any, key string) string {
	if text, ok := v.(string); ok {
		switch {
		case key == ".code" && text != "":
			return "<secret>"
		case key == ".scope":
			words := strings.Fields(text)
			slices.Sort(words)
			return strings.Join(words, " ")
		}
		if strings.HasSuffix(key, "message") || strings.HasSuffix(key, "error_description") {
			return "a sentence"
		}
		return normal(text)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return normal(strings.TrimSpace(b.String()))
}

// changing is what differs from run to run, with what is put in its place.
var changing = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z`), "<time>"},
	{regexp.MustCompile(`\ba\d+\b`), "<token id>"},
	{regexp.MustCompile(`\bsc_\d+\b`), "<code id>"},
	{regexp.MustCompile(`([?&]code=)[\w-]+`), "$1<code>"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "<secret>"},
	{regexp.MustCompile(`\b[A-Za-z0-9_-]{43}\b`), "<secret>"},
	{regexp.MustCompile(`^[A-Za-z0-9]{30}$`), "<secret>"},
	{regexp.MustCompile(`(error_description=)[^&]+`), "$1<a sentence>"},
}

// normal puts names in the place of what differs from run to run.
func normal(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host == "hub.test" {
		text = strings.TrimPrefix(text, "http://hub.test")
	}
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.by)
	}
	return text
}
