package web_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// On a telephone a row is a card without a head above it, so that a cell must say itself what its column is called.
func TestCellsSayWhatTheirColumnIsCalled(t *testing.T) {
	tables := 0
	everyPage(t, func(t *testing.T, _ string, p *page) {
		for _, table := range p.all("table") {
			tables++
			known := map[string]bool{}
			for _, th := range elements(elements(table, "thead")[0], "th") {
				known[textOf(th)] = true
			}
			for _, td := range elements(table, "td") {
				if label := attr(td, "data-label"); !known[label] {
					t.Errorf("a cell %q is labelled %q, which is no column", textOf(td), label)
				}
			}
		}
	})
	if tables < 4 {
		t.Errorf("only %d tables were seen", tables)
	}
}

// The name stands beside the mark as text: a drawing of letters is cut wherever the font is wider than the one it was
// drawn with.
func TestTheLogoNeedsNoFont(t *testing.T) {
	b := newWorld(t, nil).browser()
	if strings.Contains(b.get("/hub/logo").body, "<text") {
		t.Error("the logo draws text")
	}
	brand := func(n *html.Node) bool { return attr(n, "class") == "brand" && textOf(n) == "JupyterHub" }
	for _, a := range b.get("/hub/login").all("a") {
		if brand(a) {
			return
		}
	}
	t.Error("the name does not stand beside the mark")
}

// WCAG 2.2, 1.4.3 and 1.4.11: text has a contrast of 4.5 to what it stands on, the edges of fields and the mark of the
// focus one of 3.
func TestContrast(t *testing.T) {
	style, err := os.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(style), "@media (prefers-color-scheme: dark)")
	dark, _, _ := strings.Cut(rest, "\n}\n")
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colours := coloursOf(t, text)
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"faint", "paper", 4.5}, {"faint", "card", 4.5}, {"link", "paper", 4.5}, {"link", "card", 4.5},
			{"accent-ink", "accent", 4.5}, {"bad", "paper", 4.5}, {"bad", "card", 4.5}, {"bad", "bad-paper", 4.5}, {"link", "bad-paper", 4.5},
			{"good", "paper", 4.5}, {"good", "card", 4.5}, {"faint", "card", 3}, {"accent", "paper", 3}, {"accent", "card", 3},
		} {
			front, ok := colours[pair.front]
			back, also := colours[pair.back]
			if got := contrast(front, back); !ok || !also || got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, wanted is %.1f", scheme, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// coloursOf returns the relative luminance of each colour that is named in a style.
func coloursOf(t *testing.T, style string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, m := range colour.FindAllStringSubmatch(style, -1) {
		var rgb [3]uint8
		if _, err := fmt.Sscanf(m[2], "%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
			t.Fatal(err)
		}
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			c := float64(rgb[i]) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			found[m[1]] += weight * c
		}
	}
	return found
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
