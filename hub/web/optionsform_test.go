package web

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jupyterhubd/hub"
)

// upstreams is the form that JupyterHub's manual shows, with what its authors write in it: classes of a style that is not ours, an
// end of an element that has none.
const upstreams = `
<div class="form-group"><label for="env">Environment variables (one per line)</label>
<textarea class="form-control" name="env" id="env"></textarea></div>
<label for="args">Extra notebook CLI arguments</label> <input name="args" id="args" class="form-control"></input>
<select name="stack" size="1"><option value="r">R</option><option value="tf" selected>Tensorflow</option></select>`

func TestOptionsForm(t *testing.T) {
	form, err := readOptionsForm(upstreams)
	if err != nil || !strings.Contains(string(form), `<option value="tf" selected="">`) || strings.Contains(string(form), "</input>") {
		t.Errorf("%v: %s", err, form)
	}
	if form, err := readOptionsForm(" \n"); err != nil || strings.TrimSpace(string(form)) != "" {
		t.Errorf("nothing becomes %q, %v", form, err)
	}
	for text, want := range map[string]string{
		`<script>alert(1)</script>`:                      "<script>",
		`<form action="https://mallory.example/">`:       "<form>",
		`<button name=go>Go</button>`:                    "<button>",
		`<style>* { display: none }</style>`:             "<style>",
		`<img src=x onerror=alert(1)>`:                   "<img>",
		`<svg><a href="javascript:alert(1)">x</a></svg>`: "<svg>",
		`<p style="color: red">`:                         "<p style",
		`<p onclick="alert(1)">`:                         "<p onclick",
		`<input name=a form=other>`:                      "<input form",
		`<input name=a formaction="//mallory.example">`:  "<input formaction",
		`<input name=_xsrf value=planted>`:               `"_xsrf"`,
		`<input name="">`:                                `""`,
		`<input type=password name=secret>`:              `"password"`,
		`<input type=Submit>`:                            `"Submit"`,
		`<a href="javascript:alert(1)">x</a>`:            "javascript",
		`<a href=" JAVASCRIPT:alert(1)">x</a>`:           "JAVASCRIPT",
		`<p id=main>`:                                    `"main"`,
		strings.Repeat("a", maxOptionsForm+1):            "at most",
	} {
		form, err := readOptionsForm(text)
		if hub.KindOf(err) != hub.Invalid || !strings.Contains(err.Error(), "spawner.options_form") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %q, %v", text, form, err)
		}
	}
}

// What was taken is the same when a browser reads it again, and stays within the page's form.
func FuzzOptionsForm(f *testing.F) {
	for _, text := range []string{upstreams, "<p>", "</form><input name=a>", "<table><tr><td><input name=a></table>", "<select><p></select>", "<textarea></textarea ><p>", "<noscript><p title='</noscript><img>'>",
		"<math><mtext><table><mglyph>", "<!-- --!><p>", "<pre>\n\n<p>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := readOptionsForm(text)
		if err != nil {
			return
		}
		page, err := html.Parse(strings.NewReader("<!doctype html><main><form id=spawn_form>" + string(form) + "<button id=start></button></form><p id=after></main>"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range page.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" || n.Data == "style" || n.Data == "form" && formID(n) != "spawn_form" {
				t.Errorf("%q becomes %q, with <%s>", text, form, n.Data)
			}
			if formID(n) == "start" && !inForm(n) || formID(n) == "after" && inForm(n) {
				t.Errorf("%q becomes %q, which the page's form does not hold", text, form)
			}
		}
	})
}

func formID(n *html.Node) string {
	for _, a := range n.Attr {
		if a.Key == "id" {
			return a.Val
		}
	}
	return ""
}

func inForm(n *html.Node) bool {
	for n = n.Parent; n != nil; n = n.Parent {
		if n.Data == "form" {
			return true
		}
	}
	return false
}
