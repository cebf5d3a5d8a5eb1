package web

import (
	"html/template"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"jupyterhubd/hub"
)

// maxOptionsForm is how long a form of the configuration's may be.
const maxOptionsForm = 64 << 10

// formElements are the elements that a form of the configuration's may have, each with its own attributes; those of formAnywhere any may
// have. There are no scripts, styles and pictures, which the page's policy forbids, and nothing that sends the form elsewhere.
var formElements = map[atom.Atom]string{
	atom.P: "", atom.Div: "", atom.Span: "", atom.Br: "", atom.Hr: "", atom.H2: "", atom.H3: "", atom.H4: "", atom.Small: "", atom.Strong: "", atom.Em: "",
	atom.B: "", atom.I: "", atom.Code: "", atom.Pre: "", atom.Sub: "", atom.Sup: "", atom.Ul: "", atom.Ol: "", atom.Li: "", atom.Dl: "", atom.Dt: "", atom.Dd: "",
	atom.Table: "", atom.Caption: "", atom.Thead: "", atom.Tbody: "", atom.Tr: "", atom.Th: "scope colspan rowspan", atom.Td: "colspan rowspan",
	atom.A: "href", atom.Details: "open", atom.Summary: "", atom.Fieldset: "disabled", atom.Legend: "", atom.Label: "for", atom.Datalist: "",
	atom.Input: "type name value checked disabled readonly required min max step minlength maxlength size pattern placeholder list multiple autocomplete " +
		"autocapitalize inputmode spellcheck",
	atom.Select: "name multiple required disabled size autocomplete", atom.Optgroup: "label disabled", atom.Option: "value label selected disabled",
	atom.Textarea: "name rows cols required disabled readonly minlength maxlength placeholder wrap spellcheck autocapitalize",
}

const formAnywhere = "id class title lang dir hidden role"

// formInputs are the kinds of input. A password would be kept among the options, and a file not at all.
var formInputs = strings.Fields("text search tel url email number range date month week time datetime-local color checkbox radio hidden")

// formIDs are taken by the page around the form.
var formIDs = []string{"main", "start", "spawn_form", "spawn-error", "logout", "jupyterhub-logo"}

// readOptionsForm makes the part of the spawn page out of the configuration's options_form. It comes from root, and could be no
// danger; but what does nothing on the page, or breaks it, is found here and not by people.
func readOptionsForm(text string) (template.HTML, error) {
	if len(text) > maxOptionsForm {
		return "", badForm("holds %d bytes; at most %d are shown", len(text), maxOptionsForm)
	}
	nodes, err := html.ParseFragment(strings.NewReader(text), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return "", badForm("cannot be read: %v", err)
	}
	var out strings.Builder
	for _, n := range nodes {
		if err := checkFormNode(n); err != nil {
			return "", err
		}
		if err := html.Render(&out, n); err != nil {
			return "", badForm("cannot be shown: %v", err)
		}
	}
	return template.HTML(out.String()), nil // made from a tree that was looked through
}

func badForm(format string, args ...any) error {
	return hub.Errorf(hub.Invalid, "spawner.options_form "+format, args...)
}

func checkFormNode(n *html.Node) error {
	if n.Type == html.ElementNode {
		if err := checkFormElement(n); err != nil {
			return err
		}
	}
	for c := range n.ChildNodes() {
		if err := checkFormNode(c); err != nil {
			return err
		}
	}
	return nil
}

func checkFormElement(n *html.Node) error {
	own, known := formElements[n.DataAtom]
	if !known || n.Namespace != "" {
		return badForm("has <%s>, which the page does not take: it wants labels and fields, with headings, lists and text; the page has the form around them and its button", n.Data)
	}
	for _, a := range n.Attr {
		if !slices.Contains(strings.Fields(own+" "+formAnywhere), a.Key) && !strings.HasPrefix(a.Key, "aria-") && !strings.HasPrefix(a.Key, "data-") {
			return badForm("has <%s %s=…>, which would do nothing: the page's policy forbids scripts and styles, and no element sends the form elsewhere", n.Data, a.Key)
		}
		if err := checkFormValue(n, a.Key, strings.TrimSpace(a.Val)); err != nil {
			return err
		}
	}
	return nil
}

func checkFormValue(n *html.Node, key, value string) error {
	switch {
	case key == "name" && (value == "" || strings.HasPrefix(value, "_")):
		return badForm("has a field named %q; names that begin with _ are the page's own", value)
	case key == "type" && !slices.Contains(formInputs, strings.ToLower(value)):
		return badForm("has an input of type %q; there are %s", value, strings.Join(formInputs, ", "))
	case key == "id" && slices.Contains(formIDs, value):
		return badForm("has an element with the id %q, which the page itself has", value)
	case key == "href":
		if u, err := url.Parse(value); err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http" {
			return badForm("has a link to %q; it wants an address of the web", value)
		}
	}
	return nil
}
