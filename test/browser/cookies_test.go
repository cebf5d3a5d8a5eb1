package browser

import (
	"context"
	"strings"

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
