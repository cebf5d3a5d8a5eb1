// Package browser holds the plays that need a real browser: Debian's chromium, led by chromedp.
//
// It owns what only a browser can see: pages that work together with their scripts and the real JupyterLab, the console,
// the content security policy, the keyboard, the width of a phone.
//
// It must not know how pages are made: it finds their elements as JupyterHub names them, and people by what is written.
//
// Way in: go test, as root, which boots one machine for all plays (package testbed); the browser runs outside of it and
// reaches its proxy through a port. Way out: testing.T, with the journal of our units and a picture of the page where a play
// fails.
//
// Caveat: chromium runs as root here and therefore without its own sandbox. It sees no page but ours.
package browser
