package browser

import (
	"context"
	"strings"
	"time"

	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// cookies returns what the browser would send to a path, as it would spell it.
func (x *tab) cookies(path string) string {
	x.t.Helper()
	var jar []string
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := storage.GetCookies().Do(ctx)
		for _, c := range all {
			if strings.HasPrefix("/"+path, c.Path) {
				jar = append(jar, c.Name+"="+c.Value)
			}
		}
		return err
	}))
	return strings.Join(jar, "; ")
}

// became asks a path with the browser's cookies until it answers with that status, and reports whether it did in the end.
func (x *tab) became(status int, path string) bool {
	x.t.Helper()
	look, late := time.NewTicker(200*time.Millisecond), time.After(patience)
	defer look.Stop()
	for {
		if x.h.status(path, x.cookies(path)) == status {
			return true
		}
		select {
		case <-look.C:
		case <-late:
			return false
		}
	}
}
