package web_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

func copyAll(to io.Writer, res *http.Response) (int64, error) { return io.Copy(to, res.Body) }

// all returns the elements of a kind, or all with "*", in the order of the page.
func (p *page) all(kind string) []*html.Node { return elements(p.root, kind) }

func elements(root *html.Node, kind string) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (kind == "*" || n.Data == kind) {
			found = append(found, n)
		}
	}
	return found
}

// text is what the page says, with single spaces.
func (p *page) text() string { return textOf(p.root) }

func textOf(root *html.Node) string {
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// byID returns the element with an id, or nil.
func (p *page) byID(id string) *html.Node {
	for _, n := range p.all("*") {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func has(root *html.Node, id string) bool {
	for _, n := range append(elements(root, "*"), root) {
		if attr(n, "id") == id {
			return true
		}
	}
	return false
}

// formValues are the fields of a form as a browser would send them when the button with that id is pressed.
func formValues(form *html.Node, button string) url.Values {
	values := url.Values{}
	for _, n := range elements(form, "*") {
		name := attr(n, "name")
		switch {
		case name == "":
		case n.Data == "button":
			if attr(n, "id") == button {
				values.Set(name, attr(n, "value"))
			}
		case n.Data == "select":
			for i, o := range elements(n, "option") {
				if i == 0 || hasAttr(o, "selected") {
					values.Set(name, attr(o, "value"))
				}
			}
		case attr(n, "type") == "radio" || attr(n, "type") == "checkbox":
			if hasAttr(n, "checked") {
				values.Add(name, attr(n, "value"))
			}
		case n.Data == "input" || n.Data == "textarea":
			values.Add(name, attr(n, "value"))
		}
	}
	return values
}

func with(values url.Values, key, value string) url.Values {
	values.Set(key, value)
	return values
}
