package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Layout is what every page has around its content. Each page's struct holds one.
type Layout struct {
	Title   string
	Hub     string // URL of the hub, with a slash at the end
	Prefix  string // base_url
	User    string // who is logged in; empty for strangers
	Admin   bool   // shows the way to the admin page
	XSRF    string // empty on pages without forms
	Here    string // the page's name, for the menu
	Scripts []string
	Refresh int     // seconds after which the browser loads the page again; zero for never
	Onwards string  // where Refresh leads; empty is the page itself
	Said    []piece // the admin's announcement

	Services []menuItem // those that the user may use
}

// layout begins a page with forms: it has the XSRF token, and sees to its cookie.
func (room *Room) layout(w http.ResponseWriter, r *http.Request, here, title string) Layout {
	l := room.bare(r, title)
	l.Here, l.XSRF, l.Said = here, room.Porter.XSRF(w, r, false), room.said(here)
	return l
}

// bare begins a page without forms.
func (room *Room) bare(r *http.Request, title string) Layout {
	a := auth.FromContext(r.Context())
	l := Layout{Title: title, Hub: room.hub, Prefix: room.BaseURL, Scripts: []string{"times.js"}, Said: room.said("")}
	if a.User != nil && a.Session != nil {
		l.User, l.Admin, l.Services = a.User.Name, a.Has("admin-ui"), room.menu(a)
	}
	return l
}

// menuItem is one entry of the menu of services.
type menuItem struct{ Name, Href string }

// menu lists the services that show themselves and that somebody may use.
func (room *Room) menu(a auth.Actor) (items []menuItem) {
	_ = room.Store.View(func(tx *store.Tx) error { // a page without its menu is of use, ignoring
		for _, s := range tx.Services() {
			if s.URL != "" && s.Display && a.May("access:services", rbac.ServiceResource(s.Name)) {
				items = append(items, menuItem{s.Name, room.Hosts.Service(s.Name) + room.BaseURL + "services/" + url.PathEscape(s.Name) + "/"})
			}
		}
		return nil
	})
	return items
}

// readTemplates parses every page together with the layout. Parts that several pages share begin with an underscore.
func (room *Room) readTemplates() (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(room.functions()).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return pages, nil
}

func (room *Room) functions() template.FuncMap {
	return template.FuncMap{
		"asset":   func(name string) string { return room.hub + "static/" + room.files.address(name) },
		"spawn":   room.toSpawn,
		"user":    func(name string) string { return room.path("admin", "users", name) },
		"group":   func(name string) string { return room.path("admin", "groups", name) },
		"own":     func(l Layout, s adminServer, query, at string) serverForm { return serverForm{l, s, query, at} },
		"pending": room.toPending,
		"revoke":  func(l Layout, t tokenRow) revokeForm { return revokeForm{l.Hub, l.XSRF, t.ID, t.Name} },
		"what":    func(p sharesPage, form string) shareForm { return shareForm{p, form} },
		"ofWhom":  ofWhom,
		"size":    size,
		"seconds": func(nanoseconds int64) string { return fmt.Sprintf("%.1f s", float64(nanoseconds)/1e9) },
		"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"when":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	}
}

// show writes a page. It is made as a whole first, so that half a page is never sent. Pages hold tokens and other people's
// names: nothing keeps them.
func (room *Room) show(w http.ResponseWriter, status int, name string, page any) error {
	t := room.pages[name]
	if t == nil {
		return fmt.Errorf("there is no template %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", page); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser left, ignoring
	return nil
}

// redirect sends the browser elsewhere. The address is ours, or was found to be by auth.Next.
func redirect(w http.ResponseWriter, status int, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(status)
	return nil
}

// size writes bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for f >= unit && i < 3 {
		f, i = f/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGT"[i])
}
